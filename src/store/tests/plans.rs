//! What is asked at every tick uses an index, whatever the number of waiting runs.

use crate::store::{LAST_WITH, UNFINISHED, history, list, mail, runs, schema};
use rusqlite::Connection;

fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let values: Vec<i64> = vec![1; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

#[test]
fn due_runs_owners_and_accounts_are_found_by_index_without_sorting() {
    let c = schema::open_in_memory().unwrap();
    let expected = [
        (runs::NEXT_DUE, "SEARCH runs USING COVERING INDEX runs_due (owner=? AND lease_until=? AND due>?)"),
        (runs::DUE, "SEARCH runs USING COVERING INDEX runs_due (owner=? AND lease_until=? AND due>? AND due<?)"),
        (runs::NEXT_OWNER, "SEARCH runs USING COVERING INDEX runs_due (owner>?)"),
        (mail::NEXT_ACCOUNT, "SEARCH runs USING INDEX runs_watch (owner=? AND account>?)"),
    ];
    for (sql, wanted) in expected {
        let found = plan(&c, sql);
        assert_eq!(found, wanted, "{sql}");
    }
}

#[test]
fn lists_are_read_in_index_order() {
    let c = schema::open_in_memory().unwrap();
    for (and, index) in [("", "runs_started"), ("AND r.probe = ?", "runs_probe"), ("AND r.verdict <> 'pass'", "runs_bad")] {
        let found = plan(&c, &format!("{} WHERE 1 {and} ORDER BY r.started DESC, r.num DESC LIMIT ?", list::LIST));
        assert!(found.contains(index) && !found.contains("TEMP B-TREE"), "{and}\n{found}");
    }
}

#[test]
fn history_is_read_by_index_and_sorted_by_none() {
    let c = schema::open_in_memory().unwrap();
    for (sql, index) in [
        (history::WITHIN, "history_finished (finished>? AND finished<?)"),
        (history::BAD, "history_bad (finished>?)"),
        (history::PASS_BEFORE, "history_probe (probe=? AND verdict=? AND finished<?)"),
        (history::PASS_AFTER, "history_probe (probe=? AND verdict=? AND finished>?)"),
    ] {
        let found = plan(&c, sql);
        assert!(found.ends_with(index), "{sql}\n{found}");
    }
    let found = plan(&c, history::BAD_OF_PROBE);
    assert!(found.contains("history_probe (probe=? AND verdict=? AND finished>? AND finished<?)"), "{found}");
}

#[test]
fn the_last_runs_of_a_probe_are_read_by_index_and_sorted_by_none() {
    let c = schema::open_in_memory().unwrap();
    let found = plan(&c, list::BRIEFS);
    assert!(found.contains("runs_probe (probe=?)") && found.contains("(run=?)") && !found.contains("TEMP B-TREE"), "{found}");
}

/// Steps of SQLite's virtual machine for one question: the same on every machine.
fn steps(c: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> i32 {
    let mut statement = c.prepare(sql).unwrap();
    let mut rows = statement.query(values).unwrap();
    while rows.next().unwrap().is_some() {}
    drop(rows);
    statement.get_status(rusqlite::StatementStatus::VmStep)
}

#[test]
fn ten_thousand_waiting_runs_cost_a_tick_no_more_than_ten() {
    let cost = |waiting: i64| {
        let c = schema::open_in_memory().unwrap();
        c.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO runs (id, epoch, owner, due, probe, gateway, account, \"trigger\", phase, started, marks, observations,
                position_at, position_uidvalidity, position_uid_next)
             SELECT 'r' || i, 1, 'me', 1000 + i, 'p', 'g', 'alice', 'scheduled', 'active', i, 0, 0, i, 1, i FROM n",
            [waiting],
        )
        .unwrap();
        [
            steps(&c, runs::DUE, &[&"me", &500, &10]),
            steps(&c, runs::NEXT_DUE, &[&"me"]),
            steps(&c, runs::NEXT_OWNER, &[&""]),
            steps(&c, mail::NEXT_ACCOUNT, &[&"me", &""]),
        ]
    };
    assert_eq!(cost(10_000), cost(10));
}

#[test]
fn what_a_page_and_a_start_read_of_a_probe_costs_the_same_however_many_runs_there_are() {
    let cost = |runs: i64| {
        let c = schema::open_in_memory().unwrap();
        c.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO runs (id, epoch, owner, probe, gateway, account, \"trigger\", phase, verdict, started, finished, marks, observations)
             SELECT 'r' || i, 1, 'me', 'p' || (i % 2), 'g', 'alice', 'scheduled', 'finished', 'pass', i, i + 1, 0, 0 FROM n",
            [runs],
        )
        .unwrap();
        c.execute_batch(
            "INSERT INTO bodies (run, json) SELECT num, '{}' FROM runs;
             INSERT INTO history (run, probe, finished, verdict, json) SELECT id, probe, finished, verdict, '{}' FROM runs WHERE num % 3 > 0",
        )
        .unwrap();
        let whole =
            format!("{} WHERE 1 AND r.probe = ? AND r.\"trigger\" <> 'control' ORDER BY r.started DESC, r.num DESC LIMIT ?", list::LIST);
        [
            steps(&c, list::BRIEFS, &[&"p1", &40]),
            steps(&c, &whole, &[&"p1", &40]),
            steps(&c, LAST_WITH, &[&"p1", &"pass", &"r2"]),
            steps(&c, UNFINISHED, &[&"p1"]),
            steps(&c, history::PASS_BEFORE, &[&"p1", &runs]),
        ]
    };
    assert_eq!(cost(20_000), cost(200));
}
