//! What must not alarm (greylisting, a mail server that restarts) and what is trouble of our own (unknown, never a fault
//! of the desk).

use crate::record::record;
use crate::rt;
use crate::site::{Desk, Probe, Ran, Site, Ways, digest};
use crate::stack::{Lane, nonce, until};
use crate::stack_or_skip;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

#[test]
fn greylisting_that_ends_in_time_passes() {
    let stack = stack_or_skip!();
    let (customer, lane) = ("customer12@customers.test", Lane(10));
    let site = Site::new(stack, customer);
    site.probe("case", &Probe::of(lane));
    let broken = stack.broken("greylisted", lane);
    let ran = site.run(&["run", "case"]);
    ran.assert_passed();
    record(&site, "ok-greylisted", ran.only());
    assert!(!stack.logged("desk", &[customer, &lane.address(), "Greylisted"]).is_empty(), "nothing was greylisted");
    broken.mend();
}

#[test]
fn a_dovecot_that_is_stopped_and_started_while_we_wait_passes() {
    let stack = stack_or_skip!();
    let _alone = crate::SECOND_DOVECOT.lock().unwrap_or_else(|e| e.into_inner());
    let (customer, lane) = ("customer13@letters.test", Lane(11));
    let site = Site::new(stack, customer);
    site.probe("case", &Probe::of(lane));
    let gateway = stack.broken("gateway-stopped", lane);
    let running = site.start(&["run", "case"]);
    until("the request in the desk's queue", || stack.queued("desk", customer).pop());
    stack.second_dovecot("stop");
    gateway.mend();
    until("an acknowledgement that waits", || stack.queued("provider", customer).into_iter().find(|l| l.contains("delay_reason")));
    stack.second_dovecot("start");
    let (code, said) = running.ended();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_wrong_password_of_the_customers_own_mailbox_is_unknown() {
    let stack = stack_or_skip!();
    let mut ways = Ways::usual(stack, "customer14@customers.test");
    ways.password = "wrong";
    let site = Site::with(stack, &ways);
    site.probe("case", &Probe::of(Lane(12)));
    unknown(&site.run(&["run", "case"]), "mailbox-login-refused");
}

#[test]
fn a_desk_whose_api_is_down_from_the_start_is_unknown() {
    let stack = stack_or_skip!();
    let customer = "customer15@customers.test";
    let mut ways = Ways::usual(stack, customer);
    let forwarder = Forwarder::to(stack.port("RT_PORT"));
    ways.desk = Desk::rt(stack, &forwarder.url());
    let site = Site::with(stack, &ways);
    let short = Probe::of(Lane(13)).limit("land", "20s").limit("reply", "20s").limit("clean_up", "20s");
    site.probe("case", &short);
    forwarder.close();
    unknown(&site.run(&["run", "case"]), "desk-api-down");
    forwarder.open();
    site.run(&["run", "case"]).assert_passed();
}

#[test]
fn a_desk_whose_api_goes_down_on_the_way_is_unknown() {
    let stack = stack_or_skip!();
    let (customer, lane) = ("customer16@customers.test", Lane(14));
    let mut ways = Ways::usual(stack, customer);
    let forwarder = Forwarder::to(stack.port("RT_PORT"));
    ways.desk = Desk::rt(stack, &forwarder.url());
    let site = Site::with(stack, &ways);
    // A person answers, so that the run waits for as long as this test needs; and nobody will.
    let mut probe = Probe::of(lane).limit("reply", "25s").limit("clean_up", "20s");
    probe.tables = "[reply]\nmode = \"await\"\n".to_owned();
    let word = nonce();
    probe.subject = format!("Question about order {word}");
    site.probe("case", &probe);
    let running = site.start(&["run", "case", "--report", &format!("json={}", site.path().join("out.json").display())]);
    until("the ticket", || rt::tickets(stack, &word).pop());
    forwarder.close();
    let (code, said) = running.ended();
    let report = serde_json::from_slice(&std::fs::read(site.path().join("out.json")).expect("a report")).expect("JSON");
    unknown(&Ran { code, report, said }, "desk-api-down");
}

fn unknown(ran: &Ran, fault: &str) {
    let about = format!("{}\n{}", digest(&ran.report), ran.said);
    let run = ran.only();
    assert_eq!((ran.code, run["verdict"].as_str()), (Some(5), Some("unknown")), "{about}");
    let named = run["candidates"].as_array().is_some_and(|c| c.iter().any(|c| c == fault));
    assert!(named, "{fault} is not named: {about}");
    assert_eq!(run["blame"], "monitor", "{about}");
}

/// Stands before a port of the stack and can be closed and opened again on the same address.
struct Forwarder {
    address: SocketAddr,
    target: u16,
    line: Mutex<Option<Line>>,
}

struct Line {
    closed: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Forwarder {
    fn to(target: u16) -> Forwarder {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let forwarder = Forwarder { address, target, line: Mutex::new(None) };
        forwarder.serve(listener);
        forwarder
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn serve(&self, listener: TcpListener) {
        let line = Line { closed: Arc::default(), streams: Arc::default() };
        let (closed, streams, target) = (line.closed.clone(), line.streams.clone(), self.target);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if closed.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(near), Ok(far)) = (stream, TcpStream::connect(("127.0.0.1", target))) else { continue };
                let mut held = streams.lock().expect("no panic");
                held.extend([near.try_clone().expect("a stream"), far.try_clone().expect("a stream")]);
                copy(near.try_clone().expect("a stream"), far.try_clone().expect("a stream"));
                copy(far, near);
            }
        });
        *self.line.lock().expect("no panic") = Some(line);
    }

    /// From now on connections are refused, and those that were open are cut.
    fn close(&self) {
        let Some(line) = self.line.lock().expect("no panic").take() else { return };
        line.closed.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is closed and goes away.
        let _ = TcpStream::connect(self.address);
        for stream in line.streams.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        until("a closed port", || TcpStream::connect(self.address).is_err().then_some(()));
    }

    fn open(&self) {
        // Somebody's outgoing connection may have the port for a moment.
        self.serve(until("the same port", || TcpListener::bind(self.address).ok()));
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let mut bytes = [0; 16384];
        while let Ok(n @ 1..) = from.read(&mut bytes) {
            if to.write_all(&bytes[..n]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
