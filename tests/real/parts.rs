//! Proof that the stack does what the other tests rely on, without the product: a customer, an agent and each way to
//! break the path, seen from outside and mended again.

use crate::imap::{Letter, Mailbox};
use crate::rt::{self, Ticket};
use crate::smtp::Sender;
use crate::stack::{Lane, Stack, nonce, until};
use crate::stack_or_skip;

/// A request under way, done by hand.
struct Hand {
    stack: &'static Stack,
    customer: String,
    lane: Lane,
    word: String,
}

impl Hand {
    /// A customer writes to the lane.
    fn write(stack: &'static Stack, customer: &str, lane: Lane) -> Hand {
        let hand = Hand { stack, customer: customer.to_owned(), lane, word: nonce() };
        hand.send(&format!("Parcel {}", hand.word), "", "Where is my parcel?");
        hand
    }

    fn send(&self, subject: &str, headers: &str, text: &str) {
        let (from, to, word) = (&self.customer, self.lane.address(), &self.word);
        let id = nonce();
        let message = format!(
            "From: Ann Lee <{from}>\nTo: {to}\nSubject: {subject}\nMessage-ID: <{id}@customers.test>\n{headers}Date: Tue, 25 Nov 2025 10:00:00 +0000\n\n{text}\n{word}\n"
        );
        Sender::customer(self.stack, from).send(from, &to, &message);
    }

    fn tickets(&self) -> Vec<Ticket> {
        rt::tickets(self.stack, &self.word)
    }

    fn ticket(&self) -> Ticket {
        until("a ticket", || self.tickets().into_iter().next())
    }

    /// Mail that names this request.
    fn letters(&self, folder: &str) -> Vec<Letter> {
        let all = Mailbox::open(self.stack, &self.customer).letters(folder);
        all.into_iter().filter(|l| l.text.contains(&self.word)).collect()
    }

    fn acknowledgements(&self) -> Vec<Letter> {
        self.letters("INBOX").into_iter().filter(|l| l.header("Auto-Submitted").is_some()).collect()
    }

    fn agents_answers(&self, folder: &str) -> Vec<Letter> {
        let by_agent = |l: &Letter| l.header("X-RT-Originator").is_some_and(|o| o.starts_with("monitor@"));
        self.letters(folder).into_iter().filter(by_agent).collect()
    }

    fn acknowledgement(&self) -> Letter {
        until("the acknowledgement", || self.acknowledgements().into_iter().next())
    }

    /// The agent answers; the answer as it comes into a folder.
    fn answer(&self, ticket: &Ticket, folder: &str) -> Letter {
        rt::answer(self.stack, &ticket.id, &format!("On its way. {}", self.word));
        until("the answer", || self.agents_answers(folder).into_iter().next())
    }

    /// The customer answers that mail.
    fn follow_up(&self, to: &Letter) {
        let id = to.header("Message-ID").expect("an id");
        let subject = to.header("Subject").expect("a subject");
        self.send(&format!("Re: {subject}"), &format!("In-Reply-To: {id}\nReferences: {id}\n"), "Thank you.");
    }

    fn joined(&self, ticket: &Ticket) -> bool {
        rt::count(&rt::history(self.stack, &ticket.id), "Correspond", &self.customer) > 0
    }

    /// The whole journey, as it is when nothing is broken.
    fn all_well(&self) {
        let ticket = self.ticket();
        assert_eq!(ticket.queue, self.lane.queue());
        self.acknowledgement();
        let answer = self.answer(&ticket, "INBOX");
        assert!(answer.header("From").is_some_and(|f| f.contains(&self.lane.address())), "{:?}", answer.header("From"));
        assert!(answer.header("References").is_some_and(|r| r.contains("RT-Ticket")));
        self.follow_up(&answer);
        until("the follow-up", || self.joined(&ticket).then_some(()));
        assert_eq!(self.tickets().len(), 1);
    }
}

#[test]
fn a_stopped_gateway_keeps_mail_in_the_desks_queue_until_it_is_mended() {
    let stack = stack_or_skip!();
    let (who, lane) = ("customer41@customers.test", Lane(21));
    let broken = stack.broken("gateway-stopped", lane);
    let hand = Hand::write(stack, who, lane);
    let waiting = |q: Vec<String>| q.into_iter().find(|l| l.contains("Connection refused"));
    until("a deferred message", || waiting(stack.queued("desk", &lane.address())));
    assert_eq!(hand.tickets(), []);
    broken.mend();
    hand.all_well();
}

#[test]
fn an_alias_that_is_gone_comes_back_as_a_bounce() {
    let stack = stack_or_skip!();
    let (who, lane) = ("customer42@customers.test", Lane(22));
    let broken = stack.broken("alias-gone", lane);
    let hand = Hand::write(stack, who, lane);
    let bounce = until("the bounce", || hand.letters("INBOX").into_iter().next());
    assert!(bounce.header("From").is_some_and(|f| f.contains("MAILER-DAEMON")));
    assert!(bounce.text.contains("Status: 5.1.1"));
    assert_eq!(hand.tickets(), []);
    broken.mend();
    Hand::write(stack, who, lane).all_well();
}

#[test]
fn a_wrong_queue_gets_the_ticket() {
    let stack = stack_or_skip!();
    let (who, lane) = ("customer43@customers.test", Lane(23));
    let broken = stack.broken("wrong-queue", lane);
    assert_eq!(Hand::write(stack, who, lane).ticket().queue, "General");
    broken.mend();
    Hand::write(stack, who, lane).all_well();
}

#[test]
fn a_queue_without_its_rule_does_not_acknowledge() {
    let stack = stack_or_skip!();
    let (who, lane) = ("customer44@customers.test", Lane(24));
    let broken = stack.broken("no-acknowledgement", lane);
    let hand = Hand::write(stack, who, lane);
    // The answer passes the same way later than the acknowledgement would.
    hand.answer(&hand.ticket(), "INBOX");
    assert_eq!(hand.acknowledgements(), []);
    broken.mend();
    Hand::write(stack, who, lane).all_well();
}

#[test]
fn held_outbound_mail_looks_sent_at_the_desk() {
    let stack = stack_or_skip!();
    let (who, lane) = ("customer45@customers.test", Lane(25));
    let held = || stack.queued("desk", who).iter().filter(|l| l.contains("\"hold\"")).count();
    let before = held();
    let broken = stack.broken("outbound-held", lane);
    let hand = Hand::write(stack, who, lane);
    let ticket = hand.ticket();
    rt::answer(stack, &ticket.id, &hand.word);
    until("two held mails", || (held() == before + 2).then_some(()));
    let history = rt::history(stack, &ticket.id);
    assert_eq!((rt::count(&history, "EmailRecord", ""), rt::count(&history, "SystemError", "")), (2, 0));
    assert_eq!(hand.letters("INBOX"), []);
    broken.mend();
    Hand::write(stack, who, lane).all_well();
}

#[test]
fn refused_outbound_mail_shows_in_the_tickets_history() {
    let stack = stack_or_skip!();
    let (who, lane) = ("customer46@customers.test", Lane(26));
    let broken = stack.broken("outbound-refused", lane);
    let hand = Hand::write(stack, who, lane);
    let ticket = hand.ticket();
    rt::answer(stack, &ticket.id, &hand.word);
    assert_eq!(rt::count(&rt::history(stack, &ticket.id), "SystemError", ""), 2);
    assert_eq!(hand.letters("INBOX"), []);
    broken.mend();
    Hand::write(stack, who, lane).all_well();
}

#[test]
fn outgoing_mail_loses_its_threading_headers() {
    let stack = stack_or_skip!();
    let (who, lane) = ("customer47@customers.test", Lane(27));
    let broken = stack.broken("unthreaded", lane);
    let hand = Hand::write(stack, who, lane);
    let answer = hand.answer(&hand.ticket(), "INBOX");
    assert_eq!((answer.header("References"), answer.header("In-Reply-To")), (None, None));
    assert!(answer.header("From").is_some_and(|f| f.contains(&lane.address())));
    broken.mend();
    Hand::write(stack, who, lane).all_well();
}

#[test]
fn outgoing_mail_gets_a_noreply_sender() {
    let stack = stack_or_skip!();
    let (who, lane) = ("customer48@customers.test", Lane(28));
    let broken = stack.broken("noreply", lane);
    let hand = Hand::write(stack, who, lane);
    let answer = hand.answer(&hand.ticket(), "INBOX");
    assert!(answer.header("From").is_some_and(|f| f.contains("noreply@desk.test")), "{:?}", answer.header("From"));
    assert!(answer.header("References").is_some());
    broken.mend();
    Hand::write(stack, who, lane).all_well();
}

#[test]
fn only_the_agents_answer_ends_in_junk() {
    let stack = stack_or_skip!();
    let (who, lane) = ("customer49@customers.test", Lane(29));
    let broken = stack.broken("junk", lane);
    let hand = Hand::write(stack, who, lane);
    let ticket = hand.ticket();
    hand.acknowledgement();
    hand.answer(&ticket, "Junk");
    assert_eq!(hand.agents_answers("INBOX"), []);
    broken.mend();
    Hand::write(stack, who, lane).all_well();
}

#[test]
fn a_split_follow_up_opens_a_second_ticket() {
    let stack = stack_or_skip!();
    let (who, lane) = ("customer50@customers.test", Lane(30));
    let broken = stack.broken("split", lane);
    let hand = Hand::write(stack, who, lane);
    let ticket = hand.ticket();
    let answer = hand.answer(&ticket, "INBOX");
    hand.follow_up(&answer);
    until("a second ticket", || (hand.tickets().len() == 2).then_some(()));
    assert!(!hand.joined(&ticket));
    broken.mend();
    Hand::write(stack, who, lane).all_well();
}

#[test]
fn greylisting_defers_a_sender_once_and_then_lets_the_mail_in() {
    let stack = stack_or_skip!();
    let (who, lane) = ("customer51@customers.test", Lane(31));
    let broken = stack.broken("greylisted", lane);
    let hand = Hand::write(stack, who, lane);
    hand.all_well();
    let deferred = stack.logged("desk", &[&lane.address(), "Greylisted", who]);
    assert!(!deferred.is_empty());
    broken.mend();
}

#[test]
fn mail_waits_at_the_provider_while_its_dovecot_is_stopped() {
    // The second Dovecot belongs to this test and to the one of the product; both hold this lock.
    let stack = stack_or_skip!();
    let _alone = crate::SECOND_DOVECOT.lock().unwrap_or_else(|e| e.into_inner());
    let (who, lane) = ("customer52@letters.test", Lane(32));
    stack.second_dovecot("stop");
    let hand = Hand::write(stack, who, lane);
    hand.ticket();
    until("a deferred delivery", || stack.logged("provider", &[who, "status=deferred"]).pop());
    stack.second_dovecot("start");
    hand.acknowledgement();
}

#[test]
fn strangers_may_write_to_customers_and_nobody_may_relay() {
    let stack = stack_or_skip!();
    let who = "customer53@customers.test";
    let word = nonce();
    Sender::stranger(stack).send("shop@elsewhere.test", who, &format!("From: shop@elsewhere.test\nTo: {who}\nSubject: {word}\n\nSale\n"));
    let came = || Mailbox::open(stack, who).letters("INBOX").into_iter().find(|l| l.text.contains(&word));
    until("the stranger's mail", came);
    let relay = std::panic::catch_unwind(|| Sender::stranger(stack).send("shop@elsewhere.test", "support@desk.test", "Subject: x\n\nx\n"));
    assert!(relay.is_err(), "the provider passed a stranger's mail on to the desk");
}
