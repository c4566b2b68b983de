//! The promise that an acknowledgement makes: "within 24 hours", "innerhalb von zwei Werktagen".
//!
//! Nothing is guessed. A sentence counts only when it speaks of an answer, names a time, and neither hedges, denies, asks nor
//! speaks of what the customer must do.

use super::hours;
use crate::model::Calendar;
use jiff::Timestamp;
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use std::time::Duration;

/// The unit of a promised time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days.
    Days,
    /// Weeks.
    Weeks,
}

/// What an acknowledgement promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// How many; of a range the upper end.
    pub amount: u32,
    /// Of what.
    pub unit: Unit,
    /// Only business hours or days count.
    pub business: bool,
    /// The words that promise it.
    pub quote: String,
}

/// Texts are read up to here, in bytes: a promise stands at the top.
const READ: usize = 20_000;
/// A longer sentence is no sentence.
const LONGEST_SENTENCE: usize = 600;

const QUANTITY: &str =
    r"(?:(?P<from>\d{1,3}|\p{L}+)\s*(?:-|–|—|to|or|bis|oder|à|ou|a|až|tot|of)\s*)?(?P<amount>\d{1,3}|\p{L}+)(?:\s*\(\d{1,3}\))?";

/// How a language says "within N units": the words before the amount, the units, and the business words on either side.
struct Tongue {
    before: &'static str,
    units: &'static str,
    next_day: &'static str,
    answers: &'static str,
    spoils: &'static str,
}

const TONGUES: [Tongue; 6] = [
    Tongue {
        before: r"(?:within|in|in under|in less than|no later than)(?:\s+the\s+next|\s+at\s+most)?",
        units: r"(?P<business>business|working|office)?[\s-]*(?P<unit>hours?|hrs?|h|days?|minutes?|mins?|weeks?)",
        next_day: r"(?:next|following)\s+(?:business|working)\s+day",
        answers: r"\b(?:reply|respond|response|answer|answered|get back to you|be in touch|contact you|hear from us|return to you)\b",
        spoils: r"\b(?:not|cannot|can't|won't|unable|if you|unless|usually|typically|normally|generally|on average|average|percent|last|past|were answered|was answered|after your|of purchase|your reply|your response|your answer|please reply|please respond)\b|%",
    },
    Tongue {
        before: r"(?:innerhalb|binnen|in|in weniger als|spätestens in|spätestens nach)(?:\s+von)?(?:\s+der|\s+den)?(?:\s+nächsten|\s+kommenden)?",
        units: r"(?P<unit>stunden?|std|tage?n?|werktage?n?|arbeitstage?n?|minuten?|wochen?|geschäftsstunden|arbeitsstunden)",
        next_day: r"(?:nächsten|folgenden)\s+(?:werktag|arbeitstag)",
        answers: r"(?:antwort|melden|beantwort|rückmeldung|kontaktieren|reagieren|zurückschreiben)",
        spoils: r"\b(?:nicht|kein|keine|keinen|wenn sie|falls sie|sofern|normalerweise|üblicherweise|gewöhnlich|in der regel|durchschnitt\w*|letzten|vergangenen|prozent|wurde|wurden|ihre antwort|ihre rückmeldung|bitte antworten)\b|%",
    },
    Tongue {
        before: r"(?:sous|dans un délai de|dans un délai maximum de|dans|en moins de|d[’']ici|en)(?:\s+les)?(?:\s+prochaines|\s+prochains)?",
        units: r"(?P<unit>heures?|h|jours?|minutes?|semaines?)(?:\s+(?P<business>ouvrés?|ouvrables?|ouvrées?))?",
        next_day: r"(?:prochain\s+jour\s+(?:ouvré|ouvrable)|jour\s+(?:ouvré|ouvrable)\s+suivant)",
        answers: r"(?:répon|recontacter|contacter|reviendr|revenir vers|retour de notre|traiter)",
        spoils: r"\b(?:pas|si vous|sauf|généralement|habituellement|normalement|en moyenne|moyenne|derniers|dernières|votre réponse|veuillez répondre|merci de répondre)\b|%",
    },
    Tongue {
        before: r"(?:en|dentro de|en un plazo de|en un plazo máximo de|en menos de|antes de)(?:\s+las|\s+los)?(?:\s+próximas|\s+próximos)?",
        units: r"(?P<unit>horas?|h|días?|minutos?|semanas?)(?:\s+(?P<business>hábil|hábiles|laborables?|laborales))?",
        next_day: r"(?:siguiente|próximo)\s+día\s+(?:hábil|laborable)",
        answers: r"(?:respond|respuesta|contest|contactar|pondremos en contacto)",
        spoils: r"\b(?:no|si usted|si no|salvo|normalmente|generalmente|habitualmente|promedio|últimas|últimos|su respuesta|por favor responda)\b|%",
    },
    Tongue {
        before: r"(?:do|během|v průběhu|nejpozději do)(?:\s+následujících|\s+příštích)?",
        units: r"(?P<business>pracovních|pracovní|pracovního)?\s*(?P<unit>hodin|hodiny|hodinu|hod|dnů|dní|dny|dne|den|minut|minuty|týdnů|týdny|týdne)",
        next_day: r"(?:následující|příští)(?:m|ho)?\s+pracovní(?:m|ho)?\s+(?:den|dne|dni)",
        answers: r"(?:odpov|ozveme|reagovat|kontaktovat|vyřídíme|vyřídit)",
        spoils: r"\b(?:není|nemůžeme|neodpov\w*|nebude|pokud|jestliže|obvykle|zpravidla|většinou|průměr\w*|posledních|minulých|vaši odpověď|vaše odpověď)\b|%",
    },
    Tongue {
        before: r"(?:binnen|in|uiterlijk binnen)(?:\s+de)?(?:\s+komende|\s+volgende)?",
        units: r"(?P<unit>uur|uren|werkdag|werkdagen|dag|dagen|minuten|minuut|weken|week|werkuren)",
        next_day: r"(?:eerstvolgende|volgende)\s+werkdag",
        answers: r"(?:antwoord|reageren|reactie|contact met u|contact met je|contact op|nemen contact)",
        spoils: r"\b(?:niet|geen|als u|als je|indien|tenzij|meestal|gewoonlijk|doorgaans|normaal|gemiddeld|afgelopen|laatste|uw antwoord|uw reactie|je antwoord)\b|%",
    },
];

struct Reader {
    within: Regex,
    next_day: Regex,
    answers: Regex,
    spoils: Regex,
}

// The patterns are part of the program and read by its tests: a faulty one cannot reach users.
static READERS: LazyLock<Vec<Reader>> = LazyLock::new(|| {
    let regex = |pattern: String| Regex::new(&format!("(?i){pattern}")).ok();
    let reader = |t: &Tongue| {
        Some(Reader {
            within: regex(format!(r"\b{}\s+{QUANTITY}[\s-]*{}\b", t.before, t.units))?,
            next_day: regex(format!(r"\b{}\b", t.next_day))?,
            answers: regex(t.answers.to_owned())?,
            spoils: regex(t.spoils.to_owned())?,
        })
    };
    TONGUES.iter().filter_map(reader).collect()
});

/// Number words of the six languages, as they stand after a preposition.
const NUMBERS: [(u32, &[&str]); 10] = [
    (
        1,
        &[
            "a", "an", "one", "ein", "eine", "einem", "einer", "eines", "un", "une", "una", "uno", "jeden", "jednoho", "jedné", "jednu",
            "een", "één",
        ],
    ),
    (2, &["two", "zwei", "deux", "dos", "dva", "dvou", "dvě", "twee"]),
    (3, &["three", "drei", "trois", "tres", "tři", "tří", "drie"]),
    (4, &["four", "vier", "quatre", "cuatro", "čtyři", "čtyř"]),
    (5, &["five", "fünf", "cinq", "cinco", "pět", "pěti", "vijf"]),
    (6, &["six", "sechs", "seis", "šest", "šesti", "zes"]),
    (8, &["eight", "acht", "huit", "ocho", "osm", "osmi"]),
    (10, &["ten", "zehn", "dix", "diez", "deset", "deseti", "tien"]),
    (12, &["twelve", "zwölf", "douze", "doce", "dvanáct", "dvanácti", "twaalf"]),
    (24, &["twenty-four", "vierundzwanzig", "veinticuatro", "čtyřiadvacet", "vierentwintig"]),
];

/// Units by how their words begin, with whether only business time counts.
const UNITS: [(&str, Unit, bool); 21] = [
    ("werktag", Unit::Days, true),
    ("arbeitstag", Unit::Days, true),
    ("werkdag", Unit::Days, true),
    ("geschäftsstunde", Unit::Hours, true),
    ("arbeitsstunde", Unit::Hours, true),
    ("werkuren", Unit::Hours, true),
    ("min", Unit::Minutes, false),
    ("week", Unit::Weeks, false),
    ("weken", Unit::Weeks, false),
    ("woche", Unit::Weeks, false),
    ("semain", Unit::Weeks, false),
    ("semana", Unit::Weeks, false),
    ("týd", Unit::Weeks, false),
    ("da", Unit::Days, false),
    ("tag", Unit::Days, false),
    ("jour", Unit::Days, false),
    ("día", Unit::Days, false),
    ("d", Unit::Days, false),
    ("h", Unit::Hours, false),
    ("st", Unit::Hours, false),
    ("u", Unit::Hours, false),
];

/// Reads the promise of an acknowledgement. Of several the longest counts; none is none.
pub fn promise(text: &str) -> Option<Promise> {
    let found = sentences(text).into_iter().filter_map(|sentence| READERS.iter().find_map(|reader| reader.read(&sentence)));
    found.max_by_key(Promise::rough_minutes)
}

impl Reader {
    fn read(&self, sentence: &str) -> Option<Promise> {
        if !self.answers.is_match(sentence) || self.spoils.is_match(sentence) {
            return None;
        }
        let within = self.within.captures_iter(sentence).filter_map(|found| {
            let amount = number(found.name("amount")?.as_str())?;
            if let Some(from) = found.name("from") {
                number(from.as_str()).filter(|from| *from <= amount)?;
            }
            let (unit, business) = unit(found.name("unit")?.as_str())?;
            let business = business || found.name("business").is_some();
            Some(Promise { amount, unit, business, quote: found.get(0)?.as_str().to_owned() })
        });
        let next_day = self.next_day.find(sentence);
        let next_day = next_day.map(|found| Promise { amount: 1, unit: Unit::Days, business: true, quote: found.as_str().to_owned() });
        within.chain(next_day).max_by_key(Promise::rough_minutes)
    }
}

impl Promise {
    fn rough_minutes(&self) -> u64 {
        u64::from(self.amount)
            * match self.unit {
                Unit::Minutes => 1,
                Unit::Hours => 60,
                Unit::Days => 1_440,
                Unit::Weeks => 10_080,
            }
    }

    /// Until when it must be kept, counted from `from`. None: business time without a calendar, which nobody can count.
    pub fn due(&self, from: Timestamp, calendar: Option<&Calendar>) -> Option<Timestamp> {
        let days = if self.unit == Unit::Weeks { self.amount.checked_mul(7)? } else { self.amount };
        let time = Duration::from_secs(self.rough_minutes() * 60);
        match (self.business, self.unit) {
            (true, Unit::Days) => hours::end_of_day(calendar?, from, days),
            (true, Unit::Weeks) => hours::end_of_day(calendar?, from, self.amount.checked_mul(5)?),
            (true, Unit::Hours | Unit::Minutes) => hours::deadline(calendar?, from, time),
            (false, Unit::Days | Unit::Weeks) => hours::days_after(from, days),
            (false, Unit::Hours | Unit::Minutes) => from.checked_add(time).ok(),
        }
    }
}

fn number(word: &str) -> Option<u32> {
    if let Ok(number) = word.parse::<u32>() {
        return Some(number).filter(|n| *n > 0);
    }
    let word = word.to_lowercase();
    NUMBERS.iter().find(|(_, words)| words.contains(&word.as_str())).map(|(number, _)| *number)
}

fn unit(word: &str) -> Option<(Unit, bool)> {
    let word = word.to_lowercase();
    UNITS.iter().find(|(begin, _, _)| word.starts_with(begin)).map(|(_, unit, business)| (*unit, *business))
}

/// The statements of a text: lines of a paragraph belong together, questions are left out.
fn sentences(text: &str) -> Vec<String> {
    let mut end = text.len().min(READ);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut all = Vec::new();
    let mut sentence = String::new();
    for line in text[..end].lines().map(str::trim) {
        if line.is_empty() {
            all.push(std::mem::take(&mut sentence));
        }
        for c in line.chars() {
            sentence.push(c);
            if matches!(c, '.' | '!' | '?' | ';' | '•') {
                all.push(std::mem::take(&mut sentence));
            }
        }
        sentence.push(' ');
    }
    all.push(sentence);
    all.retain(|s| !s.trim().is_empty() && s.len() <= LONGEST_SENTENCE && !s.ends_with('?'));
    all
}

#[cfg(test)]
#[path = "promise_tests.rs"]
mod tests;
