//! The languages that a desk may speak: its words, never its behaviour.

use super::style::Rng;

/// One desk's words. `{n}` is a ticket's number, `{at}` a time, `{who}` a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tongue {
    pub(crate) greeting: &'static str,
    pub(crate) thanks: &'static str,
    pub(crate) number: &'static str,
    pub(crate) promise: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) closing: &'static str,
    pub(crate) team: &'static str,
    pub(crate) received: &'static str,
    pub(crate) automatic: &'static str,
    pub(crate) closed: &'static str,
    pub(crate) survey: &'static str,
    pub(crate) answer: &'static str,
    pub(crate) online: &'static str,
    /// Above quoted lines.
    pub(crate) wrote: &'static str,
    /// Above quoted text without marks, then the names of three header fields.
    pub(crate) original: &'static str,
    pub(crate) fields: [&'static str; 3],
    pub(crate) above: &'static str,
    pub(crate) legal: &'static str,
    /// Put before subjects by a gateway.
    pub(crate) outside: &'static str,
    pub(crate) chat_greeting: &'static str,
    pub(crate) chat_ended: &'static str,
    /// What another customer writes.
    pub(crate) third_party: &'static str,
}

/// The choices of one language, of which [`Tongue`] has one each.
struct Language {
    greetings: [&'static str; 3],
    thanks: [&'static str; 3],
    numbers: [&'static str; 2],
    promises: [&'static str; 2],
    closings: [&'static str; 2],
    receiveds: [&'static str; 2],
    chat_greetings: [&'static str; 2],
    rest: Tongue,
}

const BLANK: Tongue = Tongue {
    greeting: "",
    thanks: "",
    number: "",
    promise: "",
    subject: "",
    closing: "",
    team: "",
    received: "",
    automatic: "",
    closed: "",
    survey: "",
    answer: "",
    online: "",
    wrote: "",
    original: "",
    fields: [""; 3],
    above: "",
    legal: "",
    outside: "",
    chat_greeting: "",
    chat_ended: "",
    third_party: "",
};

const ENGLISH: Language = Language {
    greetings: ["Hello,", "Good day,", "Dear customer,"],
    thanks: ["Thank you for writing to us.", "We received your message.", "Your request has reached us."],
    numbers: ["It has the number {n}.", "Please quote {n} when you write again."],
    promises: ["Our answer comes within one working day.", "You will hear from us within one business day."],
    closings: ["Kind regards", "Yours sincerely"],
    receiveds: ["Your request is with us", "We have got your message"],
    chat_greetings: ["Welcome! Somebody is with you shortly.", "You are next in line."],
    rest: Tongue {
        subject: "Subject",
        team: "{n} team",
        automatic: "AutoReply",
        closed: "Closed",
        survey: "Your request was closed. How did we do?",
        answer: "I looked into it and everything is in order again. Write to me if anything is left open.",
        online: "your request online",
        wrote: "On {at}, {who} wrote:",
        original: "-----Original Message-----",
        fields: ["From", "Sent", "Subject"],
        above: "##- Please type your reply above this line -##",
        legal: "This message is meant for its addressee alone. Registered office: Harbour Street 3, company number 552.",
        outside: "[EXTERNAL]",
        chat_ended: "The conversation has ended.",
        third_party: "I wait for this as well.",
        ..BLANK
    },
};

const GERMAN: Language = Language {
    greetings: ["Guten Tag,", "Grüß Gott,", "Sehr geehrte Damen und Herren,"],
    thanks: ["vielen Dank für Ihre Nachricht.", "Ihre Anfrage ist bei uns angekommen.", "wir haben Ihr Schreiben erhalten."],
    numbers: ["Sie hat die Nummer {n}.", "Ihr Aktenzeichen lautet {n}."],
    promises: ["Wir antworten innerhalb eines Werktages.", "Sie hören innerhalb von einem Arbeitstag von uns."],
    closings: ["Mit freundlichen Grüßen", "Beste Grüße"],
    receiveds: ["Ihre Anfrage liegt uns vor", "Wir haben Ihre Nachricht"],
    chat_greetings: ["Willkommen! Gleich ist jemand für Sie da.", "Sie sind als Nächstes an der Reihe."],
    rest: Tongue {
        subject: "Betreff",
        team: "Ihr Team {n}",
        automatic: "Eingangsbestätigung",
        closed: "Erledigt",
        survey: "Ihre Anfrage wurde geschlossen. Wie zufrieden waren Sie?",
        answer: "ich habe es mir angesehen, alles ist wieder in Ordnung. Schreiben Sie mir, wenn etwas offen ist.",
        online: "Ihre Anfrage im Netz",
        wrote: "Am {at} schrieb {who}:",
        original: "-----Ursprüngliche Nachricht-----",
        fields: ["Von", "Gesendet", "Betreff"],
        above: "##- Bitte antworten Sie oberhalb dieser Zeile -##",
        legal: "Diese Nachricht ist nur für den Empfänger bestimmt. Sitz der Gesellschaft: Hafenstraße 3, HRB 552.",
        outside: "[EXTERN]",
        chat_ended: "Das Gespräch ist beendet.",
        third_party: "Darauf warte ich ebenfalls.",
        ..BLANK
    },
};

const CZECH: Language = Language {
    greetings: ["Dobrý den,", "Vážený zákazníku,", "Zdravíme Vás,"],
    thanks: ["děkujeme za Vaši zprávu.", "Váš požadavek k nám dorazil.", "přijali jsme Váš dotaz."],
    numbers: ["Má číslo {n}.", "Při další korespondenci uvádějte {n}."],
    promises: ["Odpovíme do jednoho pracovního dne.", "Ozveme se Vám do 1 pracovního dne."],
    closings: ["S pozdravem", "Hezký den přeje"],
    receiveds: ["Váš požadavek jsme zaevidovali", "Vaše zpráva je u nás"],
    chat_greetings: ["Vítejte! Za chvíli se Vám někdo ozve.", "Jste další na řadě."],
    rest: Tongue {
        subject: "Předmět",
        team: "tým {n}",
        automatic: "Potvrzení přijetí",
        closed: "Vyřešeno",
        survey: "Váš požadavek jsme uzavřeli. Jak jste byli spokojeni?",
        answer: "podíval jsem se na to a vše je zase v pořádku. Napište mi, pokud něco zůstává otevřené.",
        online: "Váš požadavek na webu",
        wrote: "Dne {at} {who} napsal(a):",
        original: "-----Původní zpráva-----",
        fields: ["Od", "Odesláno", "Předmět"],
        above: "##- Odpovězte prosím nad tímto řádkem -##",
        legal: "Tato zpráva je určena pouze jejímu příjemci. Sídlo společnosti: Přístavní 3, IČO 552.",
        outside: "[EXTERNÍ]",
        chat_ended: "Rozhovor byl ukončen.",
        third_party: "Čekám na to také.",
        ..BLANK
    },
};

const ALL: [&Language; 3] = [&ENGLISH, &GERMAN, &CZECH];

impl Tongue {
    pub(crate) fn draw(rng: &mut Rng) -> Tongue {
        let language = rng.pick(&ALL);
        Tongue {
            greeting: rng.pick(&language.greetings),
            thanks: rng.pick(&language.thanks),
            number: rng.pick(&language.numbers),
            promise: rng.pick(&language.promises),
            closing: rng.pick(&language.closings),
            received: rng.pick(&language.receiveds),
            chat_greeting: rng.pick(&language.chat_greetings),
            ..language.rest
        }
    }

    /// `On …, … wrote:`.
    pub(crate) fn introduces(&self, at: &str, who: &str) -> String {
        self.wrote.replace("{at}", at).replace("{who}", who)
    }

    /// The team of a queue.
    pub(crate) fn team_of(&self, queue: &str) -> String {
        self.team.replace("{n}", queue)
    }
}

/// The words of a vacation responder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vacation {
    pub(crate) subject: &'static str,
    pub(crate) text: &'static str,
}

pub(crate) const VACATIONS: [Vacation; 4] = [
    Vacation { subject: "Automatic reply:", text: "I am on holiday until the end of the month and read my mail after that." },
    Vacation { subject: "Abwesenheitsnotiz:", text: "Ich bin bis Monatsende im Urlaub und lese meine Nachrichten danach." },
    Vacation { subject: "Nepřítomnost:", text: "Do konce měsíce mám dovolenou, zprávy si přečtu po návratu." },
    Vacation { subject: "Réponse automatique :", text: "Je suis en congé jusqu'à la fin du mois et lirai mes messages ensuite." },
];
