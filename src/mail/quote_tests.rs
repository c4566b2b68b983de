//! What is new and what is quoted, mail program by mail program.

use super::*;
use proptest::prelude::*;
use std::cell::Cell;

thread_local! {
    pub(super) static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Introductions of mail programs, as they stand before `>` lines.
const INTRODUCTIONS: [&str; 20] = [
    "On Wed, Nov 25, 2026 at 10:00 AM Alice <alice@customers.example\n> wrote:",
    "On Wed, Nov 25, 2026 at 10:00 AM Alice <alice@customers.example> wrote:",
    "On 11/25/26 10:00, Alice Archer wrote:",
    "On Wed Nov 25 10:00:00 2026, alice@customers.example wrote:",
    "On Wed, Nov 25, 2026 at 10:00 AM Alice With A Rather Long Name\n<alice@customers.example> wrote:",
    "Am 25.11.26 um 10:00 schrieb Alice:",
    "Am Mi., 25. Nov. 2026 um 10:00 Uhr schrieb Alice <alice@customers.example\n>:",
    "Le 25/11/2026 à 10:00, Alice a écrit :",
    "Le mer. 25 nov. 2026 à 10:00, Alice <alice@customers.example> a\nécrit :",
    "El mié, 25 nov 2026 a las 10:00, Alice (<alice@customers.example>) escribió:",
    "Il 25/11/26 10:00, Alice ha scritto:",
    "Il giorno mer 25 nov 2026 alle ore 10:00 Alice <alice@customers.example> ha\nscritto:",
    "Op 25-11-2026 om 10:00 schreef Alice:",
    "Em qua., 25 de nov. de 2026 às 10:00, Alice <alice@customers.example>\nescreveu:",
    "Den ons 25 nov. 2026 kl 10:00 skrev Alice <alice@customers.example>:",
    "W dniu 25.11.2026 o 10:00, Alice napisał(a):",
    "śr., 25 lis 2026 o 10:00 Alice <alice@customers.example> napisał(a):",
    "Dne 25. 11. 26 v 10:00 Alice napsal(a):",
    "25.11.2026 10:00, Alice пишет:",
    "Alice wrote:",
];

#[test]
fn a_marked_quote_and_its_introduction_go_and_answers_around_it_stay() {
    for introduction in INTRODUCTIONS {
        let quote = format!("{introduction}\n> one\n> two\n");
        assert_eq!(new_text(&format!("above\n\n{quote}")), "above", "{introduction}");
        assert_eq!(new_text(&format!("above\n{quote}")), "above", "{introduction}");
        assert_eq!(new_text(&format!("{introduction}\n\n> one\n>\n>> older\n\nbelow\n")), "below", "{introduction}");
        assert_eq!(new_text(&format!("{quote}between\n> three\nbelow")), "between\nbelow", "{introduction}");
    }
}

#[test]
fn an_unmarked_quote_goes_from_its_dated_introduction_on() {
    for introduction in &INTRODUCTIONS[..INTRODUCTIONS.len() - 1] {
        assert_eq!(new_text(&format!("above\n\n{introduction}\n\none\ntwo\n")), "above", "{introduction}");
    }
}

#[test]
fn earlier_mails_behind_a_title_or_a_block_of_headers_go() {
    let blocks = [
        "-----Original Message-----\nFrom: Alice\nSent: Wednesday\n\nold",
        "-----Ursprüngliche Nachricht-----\nVon: Alice\n\nold",
        "---------- Forwarded message ---------\nFrom: Alice\n\nold",
        "Begin forwarded message:\n\nold",
        "-------- Message d'origine --------\nold",
        "-------- Mensaje original --------\nold",
        "-------- Messaggio originale --------\nold",
        "-------- Oorspronkelijk bericht --------\nold",
        "-------- Mensagem original --------\nold",
        "________________________________\nFrom: Alice <a@x.example>\nSent: Wednesday, November 25\nTo: Desk\nCc: Bob\nSubject: Parcel\n\nold",
        "*From:* Alice <a@x.example>\n*Sent:* Wednesday\n*To:* Desk\n*Subject:* Parcel\n\nold",
        "Von: Alice\nGesendet: Mittwoch\nAn: Desk\nBetreff: Parcel\n\nold",
        "De : Alice\nEnvoyé : mercredi\nÀ : Desk\nObjet : Parcel\n\nold",
        "De: Alice\nEnviado el: miércoles\nFecha: hoy\nPara: Desk\nAsunto: Parcel\n\nold",
        "Da: Alice\nInviato: mercoledì\nA: Desk\nOggetto: Parcel\n\nold",
        "Van: Alice\nVerzonden: woensdag\nAan: Desk\nOnderwerp: Parcel\n\nold",
        "De: Alice\nEnviada em: quarta\nPara: Desk\nAssunto: Parcel\n\nold",
        "From: Alice\n\nDate: Wed\n\nTo: Desk\n\nSubject: Parcel\n\nold",
    ];
    for block in blocks {
        assert_eq!(new_text(&format!("new\n\n{block}")), "new", "{block}");
        // With nothing above, this is the mail itself: a forward, or a desk's template.
        assert!(new_text(block).contains("old"), "{block}");
    }
}

#[test]
fn a_line_that_asks_to_write_above_it_is_no_text_and_ends_what_stands_above() {
    let lines = [
        "##- Please type your reply above this line -##",
        "=-=-=-= Reply above this line =-=-=-=",
        "--- Bitte antworten Sie oberhalb dieser Zeile ---",
        "##- Merci de répondre au-dessus de cette ligne -##",
        "##- Escriba su respuesta encima de esta línea -##",
        "##- Typ uw antwoord boven deze regel -##",
        "##- Scrivi la tua risposta sopra questa riga -##",
        "##- Responda acima desta linha -##",
    ];
    for line in lines {
        // The desk's own mail: the answer follows.
        assert_eq!(new_text(&format!("{line}\n\nanswer")), "answer", "{line}");
        assert_eq!(new_text(&format!("preview\n{line}\n\nanswer")), "preview\n\nanswer", "{line}");
        // An answer to it without any other mark.
        assert_eq!(new_text(&format!("Dear desk,\nmine\n\n{line}\n\nold")), "Dear desk,\nmine", "{line}");
    }
}

#[test]
fn text_that_only_resembles_a_quote_stays() {
    for text in [
        "On Monday John wrote the manual.\nIt says so.",
        "As you wrote:\nnothing was quoted.",
        "From: Berlin\nTo: Hamburg",
        "Subject: parcel\nFrom: you",
        "Sent: 25 November\nFrom: the depot",
        "-- \nAgent One\nDesk",
        "-----\nFooter",
        "5 > 3",
        "I wrote above this:\nhello",
        ">From the depot it was sent on.",
    ] {
        assert_eq!(new_text(text), tidy(text), "{text}");
        let below = format!("Hello,\n\n{text}");
        assert_eq!(new_text(&below), tidy(&below), "{text}");
    }
    // A sentence above the introduction is not part of it.
    assert_eq!(new_text("On my side it works.\nOn Wed, Nov 25, 2026 at 10:00, Alice wrote:\n> x"), "On my side it works.");
}

#[test]
fn html_quotes_of_mail_programs_go() {
    let quotes = [
        "<div class=\"gmail_quote\"><div class=\"gmail_attr\">On Wed, Nov 25, 2026 at 10:00 Alice &lt;a@x.example&gt; wrote:<br></div><blockquote class=\"gmail_quote\">old</blockquote></div>",
        "<div class=\"moz-cite-prefix\">On 11/25/26 10:00, Alice wrote:<br></div><blockquote type=\"cite\" cite=\"mid:1@x\"><p>old</p></blockquote>",
        "<hr><div id=\"divRplyFwdMsg\"><b>From:</b> Alice</div><div>old</div>",
        "<div id=\"appendonsend\"></div><div>old</div>",
        "<blockquote><div>On 25 Nov 2026, at 10:00, Alice wrote:</div>old</blockquote>",
        "<div class=\"yahoo_quoted\"><div>old</div></div>",
        "<div class=\"protonmail_quote\">On Wed, Nov 25th, 2026 at 10:00, Alice wrote:<blockquote>old</blockquote></div>",
        "<div style=\"border-top:solid #E1E1E1 1.0pt\"><p><b>From:</b> Alice<br><b>Sent:</b> Wednesday<br><b>To:</b> Desk<br><b>Subject:</b> Parcel</p></div><p>old</p>",
    ];
    for quote in quotes {
        assert_eq!(new_text_of_html(&format!("<html><body><div>new</div><br>{quote}</body></html>")), "new", "{quote}");
    }
    let bottom = format!("{}<div>below</div>", quotes[0]);
    assert_eq!(new_text_of_html(&bottom), "below");
}

#[test]
fn answer_subjects_are_known_in_many_languages_and_behind_tags() {
    for subject in
        ["Re: x", "RE: x", "Aw: x", "[desk #2] Re: x", "[a][b] SV: x", "Re[2]: x", "Fwd: x", "WG: x", "Antw: x", "回复：x", "R: x"]
    {
        assert!(is_answer_subject(subject), "{subject}");
    }
    for subject in ["x", "Regarding: x", "[desk #2] x", "[Re: x", "Parcel: lost", "", "Reply"] {
        assert!(!is_answer_subject(subject), "{subject}");
    }
}

#[test]
fn a_large_mail_of_introductions_takes_no_time() {
    let line = "On Wed, Nov 25, 2026 at 10:00, Alice wrote:\n";
    let text = format!("new\n{}> end", line.repeat(100_000));
    assert!(new_text(&text).starts_with("new"));
}

#[test]
fn outlooks_block_of_headers_is_known_in_many_languages() {
    let blocks = [
        "Från: Alice\nSkickat: den 25 november\nTill: Desk\nÄmne: Parcel",
        "Fra: Alice\nSendt: 25. november\nTil: Desk\nEmne: Parcel",
        "Od: Alice\nWysłano: środa\nDo: Desk\nTemat: Parcel",
        "Od: Alice\nOdesláno: středa\nKomu: Desk\nPředmět: Parcel",
        "От: Alice\nОтправлено: среда\nКому: Desk\nТема: Parcel",
        "Kimden: Alice\nGönderildi: 25 Kasım\nKime: Desk\nKonu: Parcel",
        "Lähettäjä: Alice\nLähetetty: keskiviikko\nVastaanottaja: Desk\nAihe: Parcel",
        "Feladó: Alice\nElküldve: szerda\nCímzett: Desk\nTárgy: Parcel",
        "发件人: Alice\n发送时间: 2026年11月25日\n收件人: Desk\n主题: Parcel",
        "差出人： Alice\n送信日時： 2026年11月25日\n宛先： Desk\n件名： Parcel",
        "보낸 사람: Alice\n보낸 날짜: 2026\n받는 사람: Desk\n제목: Parcel",
    ];
    for block in blocks {
        assert_eq!(new_text(&format!("new\n\n{block}\n\nold")), "new", "{block}");
    }
}

/// What desks send to the customer: the agent's words are new, the history below or quoted is not.
#[test]
fn the_forms_of_desks_have_the_agents_words_as_new_text() {
    let forms = [
        // Zendesk: delimiter, then the newest entry, then the history.
        "##- Please type your reply above this line -##\n\nNEW\n\n----------------------------------------------\n\n\
         Alice, Nov 25, 2026, 10:00\n\nOLD\n",
        "##- Bitte antworten Sie oberhalb dieser Zeile -##\n\nNEW\n\n--------------------------------\nAlice Archer\n25. Nov. 2026, 10:00 MEZ\n\nOLD\n",
        "=-=-= Please reply above this line =-=-=\n\nNEW\n\nOn Wed, Nov 25, 2026 at 10:00 AM UTC, Alice <a@x.example> wrote:\nOLD\n",
        // Zammad and RT quote with signs.
        "NEW\n\nOn Wednesday, November 25, 2026 at 10:00:00 AM UTC, Alice <a@x.example> wrote:\n> OLD\n> OLD\n",
        "<URL: https://desk.example/Ticket/Display.html?id=2 >\n\nNEW\n\nOn Wed Nov 25 10:00:00 2026, alice@x.example wrote:\n> OLD\n",
        // Freshdesk and Chatwoot put the earlier mail below an introduction.
        "NEW\n\nOn Wed, 25 Nov at 10:00 AM , Alice <alice@x.example> wrote:\n\nOLD\n",
        "NEW\n\n-------------------------\nOn Wed, 25 Nov 2026 10:00:00 +0000, Alice wrote:\nOLD\n",
        // Mail programs of agents without a desk.
        "NEW\n\nSent from my iPhone\n\n> On 25 Nov 2026, at 10:00, Alice <a@x.example> wrote:\n> \n> OLD\n",
        "NEW\n________________________________\nVon: Alice\nGesendet: Mittwoch, 25. November 2026 10:00\nAn: Desk\nBetreff: Parcel\n\nOLD",
    ];
    for form in forms {
        let new = new_text(form);
        assert!(new.contains("NEW") && !new.contains("OLD"), "{form}\n=> {new}");
    }
    let html = [
        "<div>NEW</div><div class=\"freshdesk_quote\"><blockquote class=\"freshdesk_quote\">On Wed, 25 Nov at 10:00 AM , Alice wrote:<br>OLD</blockquote></div>",
        "<div>NEW</div><blockquote type=\"cite\">On Wednesday, Alice wrote:<br>OLD</blockquote>",
        "<p>NEW</p><p>On Wed, 25 Nov 2026 10:00:00, Alice wrote:</p><blockquote><p>OLD</p></blockquote>",
        "<div style=\"color:#b5b5b5\">##- Please type your reply above this line -##</div><p>NEW</p><div>----------------------------</div>\
         <p><b>Alice</b>, Nov 25, 2026, 10:00</p><p>OLD</p>",
        "<p>NEW</p><div><br><blockquote type=\"cite\"><div>On 25 Nov 2026, at 10:00, Alice &lt;a@x&gt; wrote:</div><br>OLD</blockquote></div>",
    ];
    for form in html {
        let new = new_text_of_html(form);
        assert!(new.contains("NEW") && !new.contains("OLD"), "{form}\n=> {new}");
    }
}

#[test]
fn rules_in_a_mail_without_history_end_nothing() {
    let signature = "Hello,\n\n----------\nopen since 25.11.2026\nend";
    assert_eq!(new_text(signature), tidy(signature));
    let table = "##- reply above this line -##\nOrder:\n--------------\nparcel\n--------------\nend";
    assert!(new_text(table).ends_with("end"));
}

fn steps(text: &str) -> usize {
    STEPS.with(|s| s.set(0));
    new_text(text);
    STEPS.with(Cell::get)
}

#[test]
fn work_grows_with_the_mail_and_no_faster() {
    let wide = "x".repeat(5_000);
    let shapes: [(&str, String); 9] = [
        ("blank lines above quotes", "\n>\n".to_owned()),
        ("rules", "-----\n".to_owned()),
        ("separators", "\nreply above this line\n".to_owned()),
        ("introductions", "On Wed, Nov 25, 2026 at 10:00, Alice wrote:\n> x\n".to_owned()),
        ("labels", "From: x\n\n".to_owned()),
        ("a wide line above quotes", format!("{wide}\n>\n\n>\ny\n>\n")),
        ("history", "##- reply above this line -##\n----------\n\n\n".to_owned()),
        ("signs", ">>>>>> <\n> x:\n".to_owned()),
        ("words", "On the other hand wrote\n".to_owned()),
    ];
    for (name, shape) in shapes {
        for head in ["", "new\n"] {
            let of = |n: usize| steps(&format!("{head}{}{}", "\n".repeat(n), shape.repeat(n)));
            let (one, four) = (of(300), of(1_200));
            assert!(four <= one * 5, "{name}: {one} {four}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]
    #[test]
    fn any_text_is_read_in_a_bounded_number_of_steps(pieces in prop::collection::vec(prop::sample::select(vec![
        "\n", "> ", ">", "On Wed, Nov 25, 2026 at 10:00 Alice <a@x> wrote:\n", "wrote:", "From: x\n", "Sent: x\n", "Subject: x\n",
        "----------\n", "##- reply above this line -##\n", "word ", "é\u{a0}", "-----Original Message-----\n", "<", ":", "25.11.2026 ",
    ]), 0..120)) {
        let text = pieces.concat();
        prop_assert!(steps(&text) <= 60 * text.len() + 1_000);
    }
}
