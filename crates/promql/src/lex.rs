//! Text to tokens.
//!
//! In:     any text. Out: tokens with byte spans, the last one `End`, or an error that points at the byte.
//! Never:  panics, or needs more memory than a constant times the text.

use crate::error::{ParseError, Span};

/// What a token is. Its text is the span's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, also with `:` in it; keywords are names until the parser wants one.
    Name,
    Number,
    Duration,
    Text,
    /// An operator or a bracket: its text says which.
    Sign(Sign),
    End,
}

macro_rules! signs {
    ($($name:ident $text:literal),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Sign { $($name),* }

        impl Sign {
            pub fn text(self) -> &'static str {
                match self { $(Sign::$name => $text),* }
            }
        }

        /// Longer ones before those they begin with.
        const SIGNS: &[Sign] = &[$(Sign::$name),*];
    };
}

signs! {
    TrimUpper "</", TrimLower ">/", Same "==", NotSame "!=", AtMost "<=", AtLeast ">=", Matches "=~", NotMatches "!~",
    Less "<", Greater ">", Equals "=", Plus "+", Minus "-", Times "*", Over "/", Modulo "%", Power "^", At "@",
    OpenParen "(", CloseParen ")", OpenBrace "{", CloseBrace "}", OpenBracket "[", CloseBracket "]", Comma ",", Colon ":",
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub span: Span,
}

pub fn lex(source: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer { source, at: 0, brackets: 0, braces: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.token()?;
        tokens.push(token);
        if token.kind == Kind::End {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    /// Open `[`: there `:` stands alone and never inside a name.
    brackets: usize,
    braces: usize,
}

impl Lexer<'_> {
    fn token(&mut self) -> Result<Token, ParseError> {
        self.skip_blank();
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(Token { kind: Kind::End, span: Span::new(start, start) });
        };
        let next_is_digit = rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let kind = match first {
            '"' | '\'' | '`' => {
                self.string(first)?;
                Kind::Text
            }
            '0'..='9' => self.number()?,
            '.' if next_is_digit => self.number()?,
            c if is_name_start(c) || (c == ':' && self.brackets == 0 && self.braces == 0) => self.name(),
            _ => self.sign(first)?,
        };
        Ok(Token { kind, span: Span::new(start, self.at) })
    }

    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            let comment = rest.get(blank..).filter(|r| r.starts_with('#'));
            let comment = comment.map_or(0, |r| r.find(['\n', '\r']).unwrap_or(r.len()));
            if blank + comment == 0 {
                return;
            }
            self.at += blank + comment;
        }
    }

    fn take_while(&mut self, good: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !good(c)).unwrap_or(rest.len());
    }

    fn name(&mut self) -> Kind {
        let start = self.at;
        let colons = self.brackets == 0 && self.braces == 0;
        self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || (c == ':' && colons));
        let word = self.source.get(start..self.at).unwrap_or_default();
        // In braces they name labels.
        let number = word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan");
        if number && self.braces == 0 { Kind::Number } else { Kind::Name }
    }

    fn string(&mut self, quote: char) -> Result<(), ParseError> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        let rest = self.rest();
        for (offset, c) in rest.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' && quote != '`' {
                escaped = true;
            } else if c == quote {
                self.at += offset + 1;
                return Ok(());
            } else if c == '\n' && quote != '`' {
                break;
            }
        }
        let what = if quote == '`' { "unterminated raw string" } else { "unterminated quoted string" };
        Err(self.fault(start, what))
    }

    /// A number, or a duration when a unit follows the digits.
    fn number(&mut self) -> Result<Kind, ParseError> {
        let start = self.at;
        let lower = self.rest().get(..2).map(str::to_ascii_lowercase);
        if lower.as_deref() == Some("0x") {
            self.at += 2;
            self.take_while(|c| c.is_ascii_hexdigit() || c == '_');
        } else {
            self.take_while(|c| c.is_ascii_digit() || c == '_');
            let whole = !self.rest().starts_with('.');
            if whole && self.unit_follows() {
                self.take_while(|c| c.is_ascii_alphanumeric());
                return self.duration(start);
            }
            if !whole {
                self.at += 1;
                self.take_while(|c| c.is_ascii_digit() || c == '_');
            }
            self.exponent();
        }
        if self.rest().starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
            return Err(self.bad_number(start));
        }
        let text = self.source.get(start..self.at).unwrap_or_default();
        if crate::number::parse_number(text).is_none() {
            return Err(self.bad_number(start));
        }
        Ok(Kind::Number)
    }

    fn unit_follows(&self) -> bool {
        let mut letters = self.rest().chars();
        letters.next().is_some_and(|c| matches!(c, 'y' | 'w' | 'd' | 'h' | 'm' | 's'))
    }

    fn exponent(&mut self) {
        let rest = self.rest();
        let Some(after) = rest.strip_prefix(['e', 'E']) else { return };
        let after = after.strip_prefix(['+', '-']).unwrap_or(after);
        if after.starts_with(|c: char| c.is_ascii_digit()) {
            self.at += rest.len() - after.len();
            self.take_while(|c| c.is_ascii_digit() || c == '_');
        }
    }

    fn duration(&self, start: usize) -> Result<Kind, ParseError> {
        let text = self.source.get(start..self.at).unwrap_or_default();
        match crate::number::parse_duration(text) {
            Some(_) => Ok(Kind::Duration),
            None if crate::number::is_long_duration(text) => Err(self.fault(start, "duration out of range")),
            None => Err(self.fault(
                start,
                format!(
                    "bad number or duration syntax: {text:?}; durations are whole numbers with the units y w d h m s ms, \
                     from the longest to the shortest, each once"
                ),
            )),
        }
    }

    fn bad_number(&self, start: usize) -> ParseError {
        let text = self.source.get(start..self.at).unwrap_or_default();
        self.fault(start, format!("bad number or duration syntax: {text:?}"))
    }

    fn sign(&mut self, first: char) -> Result<Kind, ParseError> {
        let rest = self.rest();
        let found = SIGNS.iter().copied().find(|s| rest.starts_with(s.text()));
        let Some(sign) = found else {
            let start = self.at;
            self.at += first.len_utf8();
            let what = match first {
                '!' => "unexpected character after '!'; expected != or !~".to_owned(),
                c => format!("unexpected character: {c:?}"),
            };
            return Err(self.fault(start, what));
        };
        self.at += sign.text().len();
        match sign {
            Sign::OpenBracket => self.brackets += 1,
            Sign::CloseBracket => self.brackets = self.brackets.saturating_sub(1),
            Sign::OpenBrace => self.braces += 1,
            Sign::CloseBrace => self.braces = self.braces.saturating_sub(1),
            _ => {}
        }
        Ok(Kind::Sign(sign))
    }

    fn fault(&self, start: usize, text: impl Into<String>) -> ParseError {
        ParseError::new(self.source, Span::new(start, self.at), text)
    }
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}
