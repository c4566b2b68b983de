use super::*;
use jiff::civil::Date;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn read(text: &str) -> Option<(u32, Unit, bool)> {
    promise(text).map(|p| (p.amount, p.unit, p.business))
}

#[test]
fn every_pattern_is_one() {
    assert_eq!(READERS.len(), TONGUES.len());
}

#[test]
fn promises_are_read_in_six_languages() {
    use Unit::{Days, Hours, Minutes, Weeks};
    let cases: &[(&str, (u32, Unit, bool))] = &[
        ("Thank you. We will reply within 24 hours.", (24, Hours, false)),
        ("We answer within one working day.", (1, Days, true)),
        ("An agent will get back to you in 2 business days.", (2, Days, true)),
        ("Your request will be answered within 24-48 hours.", (48, Hours, false)),
        ("We have received your mail and will respond within two (2) business days.", (2, Days, true)),
        ("You will hear from us within\nthe next 4 business hours.", (4, Hours, true)),
        ("We will respond on the next working day.", (1, Days, true)),
        ("Expect our response within 15 minutes", (15, Minutes, false)),
        ("We aim to respond within an hour!", (1, Hours, false)),
        ("We'll be in touch within 1 to 2 weeks.", (2, Weeks, false)),
        ("Wir melden uns innerhalb von 24 Stunden bei Ihnen.", (24, Hours, false)),
        ("Sie erhalten binnen zwei Werktagen eine Antwort.", (2, Days, true)),
        ("Wir antworten Ihnen spätestens am nächsten Werktag.", (1, Days, true)),
        ("Ihre Anfrage wird in 1 bis 3 Arbeitstagen beantwortet.", (3, Days, true)),
        ("Nous vous répondrons sous 48 heures.", (48, Hours, false)),
        ("Notre équipe vous répondra dans un délai de 2 jours ouvrés.", (2, Days, true)),
        ("Nous reviendrons vers vous le prochain jour ouvré.", (1, Days, true)),
        ("Le responderemos en un plazo de 24 horas.", (24, Hours, false)),
        ("Nos pondremos en contacto con usted en 2 días hábiles.", (2, Days, true)),
        ("Recibirá una respuesta dentro de las próximas 48 horas.", (48, Hours, false)),
        ("Odpovíme vám do 2 pracovních dnů.", (2, Days, true)),
        ("Ozveme se vám do 24 hodin.", (24, Hours, false)),
        ("Odpovíme nejpozději následující pracovní den.", (1, Days, true)),
        ("Wij reageren binnen 24 uur op uw bericht.", (24, Hours, false)),
        ("U ontvangt binnen twee werkdagen antwoord.", (2, Days, true)),
        ("We nemen de eerstvolgende werkdag contact met u op.", (1, Days, true)),
    ];
    for (text, wanted) in cases {
        assert_eq!(read(text), Some(*wanted), "{text}");
    }
}

#[test]
fn what_is_no_promise_is_none() {
    let none = [
        "",
        "We have received your request and will reply as soon as possible.",
        "Our office answers the phone Mon-Fri 9:00-17:00.",
        "Open within 24 hours a day, 7 days a week.",
        "In the last 24 hours we have answered many requests.",
        "95 % of all requests are answered within 24 hours.",
        "We usually reply within 24 hours.",
        "We cannot promise a response within 24 hours.",
        "If you do not answer within 7 days, this ticket will be closed.",
        "You can return your order within 30 days.",
        "Free delivery in 2 business days!",
        "Did we answer within 24 hours?",
        "Please reply within 14 days.",
        "We await your answer within 3 days.",
        "Ihr Paket kommt in 2 Werktagen.",
        "Wir können nicht innerhalb von 24 Stunden antworten.",
        "In den letzten 24 Stunden haben wir viele Antworten geschrieben.",
        "Nous ne pouvons pas répondre sous 24 heures.",
        "Normalmente respondemos en 24 horas.",
        "Pokud neodpovíte do 7 dnů, požadavek uzavřeme.",
        "Als u niet binnen 7 dagen reageert, sluiten wij het ticket.",
        "We reply within some hours.",
        "We reply within 0 hours.",
        "We reply within 48-24 hours.",
    ];
    for text in none {
        assert_eq!(promise(text), None, "{text}");
    }
}

#[test]
fn of_several_promises_the_longest_counts_and_it_is_quoted() {
    let two = promise("We answer chats within 5 minutes. We answer mails within 2 business days.").unwrap();
    assert_eq!((two.amount, two.quote.as_str()), (2, "within 2 business days"));
}

#[test]
fn a_promise_in_business_time_is_counted_by_the_calendar_alone() {
    let hours = std::array::from_fn(|day| if day < 5 { vec![(540, 1_020)] } else { Vec::new() });
    let holidays: BTreeSet<Date> = ["2026-11-30".parse().unwrap()].into();
    let calendar = Calendar { name: "office".into(), zone: "UTC".into(), hours, holidays };
    let friday: Timestamp = "2026-11-27T16:00:00Z".parse().unwrap();
    let due = |text: &str, calendar| promise(text).unwrap().due(friday, calendar).map(|t| t.to_string());
    assert_eq!(due("We answer within one working day.", Some(&calendar)).as_deref(), Some("2026-12-01T17:00:00Z"));
    assert_eq!(due("We answer within 2 business hours.", Some(&calendar)).as_deref(), Some("2026-12-01T10:00:00Z"));
    assert_eq!(due("We answer within one working day.", None), None);
    assert_eq!(due("We answer within 24 hours.", Some(&calendar)).as_deref(), Some("2026-11-28T16:00:00Z"));
    assert_eq!(due("We answer within 2 days.", None).as_deref(), Some("2026-11-29T16:00:00Z"));
}

proptest! {
    #[test]
    fn any_text_is_read_without_trouble(text in "\\PC{0,400}", more in "(we|wir|within|in|binnen|do|sous|reply|antwort|[0-9]{1,9}|hours|Tagen|-|–|\\.|\n| ){0,60}") {
        for text in [&text, &more] {
            if let Some(found) = promise(text) {
                prop_assert!(found.amount > 0 && text.split_whitespace().collect::<String>().contains(&found.quote.split_whitespace().collect::<String>()));
                let _ = found.due(Timestamp::MAX, None);
            }
        }
    }

    #[test]
    fn a_promise_in_the_middle_of_any_words_is_the_one_that_was_made(n in 1u32..999, before in "[a-d ]{0,30}") {
        prop_assert_eq!(read(&format!("{before}\n\nWe will reply within {n} hours.")), Some((n, Unit::Hours, false)));
    }
}
