//! Benign content: prose, records, tables, images, what browsers send.

use super::random::Random;

/// Common English words, without those that the Core Rule Set takes for commands when prose is as random as this.
const WORDS: &str = "the of and to in is you that it he was for on are with his they at be this have from or one had \
    by word but not what all were we when your can said there use an each which she do how their if will up other about \
    out many then them these so some her would make like him into has look two more write see number no way \
    could people my than first water been call its now long down day did get come made may part over new sound \
    take only little work know place year live me back give most very after thing our just name good sentence man think \
    say great where help through much before line right too mean old any same tell boy follow came want show also around \
    form three small end does another well large must big even such because turn here why ask went men read need \
    land different home us move try kind hand picture again change off play spell air away animal house point page letter \
    mother answer found study still learn should world price product customer delivery address account message \
    email contact review support service software business market city country music video game hotel travel health \
    school university research policy privacy copyright";

const FIRST: [&str; 16] = [
    "Anna", "James", "Maria", "David", "Yuki", "Lukas", "Chloe", "Pierre", "Sofia", "Robert", "Linda", "Omar",
    "Ingrid", "Mateo", "Priya", "Hannah",
];
const LAST: [&str; 16] = [
    "Miller", "Garcia", "Nguyen", "Tanaka", "Schmidt", "Rossi", "Dubois", "Jensen", "Novak", "Silva", "Khan", "Olsen",
    "Brown", "Taylor", "Kowalski", "Moreau",
];
const CITIES: [&str; 12] =
    ["Lyon", "Osaka", "Berlin", "Dublin", "Austin", "Denver", "Madrid", "Leeds", "Zurich", "Porto", "Oslo", "Graz"];
const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Mobile Safari/537.36",
];
const LANGUAGES: [&str; 4] =
    ["en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "fr-FR,fr;q=0.9,en-US;q=0.8,en;q=0.7", "ja,en-US;q=0.9,en;q=0.8"];

/// A source of content.
pub struct Content {
    /// What it draws from.
    pub random: Random,
    words: Vec<&'static str>,
}

impl Content {
    /// With a seed.
    pub fn new(seed: u64) -> Content {
        Content { random: Random::new(seed), words: WORDS.split_whitespace().collect() }
    }

    /// A word.
    pub fn word(&mut self) -> &'static str {
        self.random.pick(&self.words)
    }

    /// A sentence of 4 to 16 words.
    pub fn sentence(&mut self) -> String {
        let mut text = String::new();
        for at in 0..self.random.between(4, 16) {
            let word = self.word();
            match word.split_at(1) {
                (first, rest) if at == 0 => text.extend([&first.to_ascii_uppercase(), rest]),
                _ => text.extend([" ", word]),
            }
            if at == 3 && self.random.between(0, 4) == 0 {
                text.push(',');
            }
        }
        text.push(self.random.pick(&['.', '.', '.', '?', '!']));
        text
    }

    /// Sentences, `least` to `most` bytes of them, cut off there.
    pub fn prose(&mut self, least: usize, most: usize) -> String {
        let size = self.random.between(least, most);
        let mut text = self.sentence();
        while text.len() < size {
            text.push(' ');
            text.push_str(&self.sentence());
        }
        text.truncate(size);
        text
    }

    /// Letters and digits.
    pub fn token(&mut self, length: usize) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length).map(|_| char::from(self.random.pick(alphabet))).collect()
    }

    /// A JSON object: a customer's record with a note.
    pub fn record(&mut self) -> String {
        let (first, last) = (self.random.pick(&FIRST), self.random.pick(&LAST));
        let (high, low) = (self.random.next(), self.random.next());
        let uuid = format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        );
        let tags: Vec<_> = (0..self.random.between(0, 4)).map(|_| format!("\"{}\"", self.word())).collect();
        let note = self.prose(500, 1_000);
        format!(
            "{{\"id\": {}, \"uuid\": \"{uuid}\", \"name\": \"{first} {last}\", \"email\": \"{}{}@example.com\", \
             \"created_at\": \"20{}-{:02}-{:02}T{:02}:{:02}:00Z\", \"price\": {}.{:02}, \"active\": {}, \
             \"tags\": [{}], \"address\": {{\"city\": \"{}\", \"zip\": \"{}\"}}, \"note\": \"{note}\", \"parent\": null}}",
            self.random.between(100_000, 9_999_999),
            first.to_ascii_lowercase(),
            self.random.between(1, 99),
            self.random.between(18, 25),
            self.random.between(1, 12),
            self.random.between(1, 28),
            self.random.between(0, 23),
            self.random.between(0, 59),
            self.random.between(1, 999),
            self.random.between(0, 99),
            self.random.between(0, 1) == 1,
            tags.join(", "),
            self.random.pick(&CITIES),
            self.random.between(10_000, 99_999),
        )
    }

    /// Lines of comma-separated values, at least `size` bytes.
    pub fn table(&mut self, size: usize) -> String {
        let mut text = String::new();
        while text.len() < size {
            let (id, first) = (self.random.between(10_000, 99_999), self.random.pick(&FIRST));
            let (last, city) = (self.random.pick(&LAST), self.random.pick(&CITIES));
            text.push_str(&format!("{id},{first},{last},{city}\n"));
        }
        text
    }

    /// Bytes that begin as a JPEG file does and go on as compressed data do.
    pub fn image(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01".to_vec();
        bytes.extend((bytes.len()..size).map(|_| self.random.next() as u8));
        bytes
    }

    /// What a browser calls itself.
    pub fn browser(&mut self) -> &'static str {
        self.random.pick(&BROWSERS)
    }

    /// Languages that it asks for.
    pub fn languages(&mut self) -> &'static str {
        self.random.pick(&LANGUAGES)
    }

    /// Cookies of counters and sessions.
    pub fn cookies(&mut self) -> String {
        let (a, b) = (self.random.between(100_000_000, 999_999_999), self.random.between(1_600_000_000, 1_760_000_000));
        let session = self.token(32);
        format!("_ga=GA1.2.{a}.{b}; _gid=GA1.2.{b}.{a}; sessionid={session}; lang=en; theme=dark")
    }
}
