//! Selectors of labels and fields, as Kubernetes writes them.
//!
//! In:     `app=web,tier in (front,back),!canary`. Out: requirements, or what does not fit.
//! Source: labels and selectors, field selectors of the Kubernetes API.

/// What a selector of fields over pods may name, as the API server has it.
const FIELDS: [&str; 11] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
];

/// One condition on one key. All of a selector must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    /// Also where the key is missing.
    NotIn(Vec<String>),
    Exists,
    Missing,
}

impl Requirement {
    /// `value`: of the key; `None` where it is missing.
    pub fn holds(&self, value: Option<impl AsRef<str>>) -> bool {
        let among = |all: &[String]| value.as_ref().is_some_and(|v| all.iter().any(|a| a == v.as_ref()));
        match &self.test {
            Test::In(all) => among(all),
            Test::NotIn(all) => !among(all),
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
        }
    }
}

/// Requirements on labels.
///
/// # Errors
/// What does not fit.
pub fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    split(text).map(label).collect()
}

/// Requirements on fields of pods.
///
/// # Errors
/// What does not fit.
pub fn parse_fields(text: &str) -> Result<Vec<Requirement>, String> {
    split(text).map(field).collect()
}

/// Splits at commas outside of parentheses; blank parts are left out.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|p| !p.is_empty())
}

fn key(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let text = text.trim();
    match !text.is_empty() && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "`{text}` is no label; write KEY=VALUE, KEY!=VALUE, KEY in (A,B), KEY notin (A,B), KEY or !KEY"
        )),
    }
}

fn label(part: &str) -> Result<Requirement, String> {
    if let Some((name, value)) = part.split_once("!=") {
        return Ok(Requirement { key: key(name)?, test: Test::NotIn(vec![value.trim().to_owned()]) });
    }
    if let Some((name, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Requirement { key: key(name)?, test: Test::In(vec![value.trim().to_owned()]) });
    }
    if let Some(name) = part.strip_prefix('!') {
        return Ok(Requirement { key: key(name)?, test: Test::Missing });
    }
    let Some((name, rest)) = part.split_once(char::is_whitespace) else {
        return Ok(Requirement { key: key(part)?, test: Test::Exists });
    };
    let rest = rest.trim();
    let of = |word: &str| {
        let list = rest.strip_prefix(word)?.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(list.split(',').map(|v| v.trim().to_owned()).collect::<Vec<_>>())
    };
    let test = match (of("notin"), of("in")) {
        (Some(list), _) => Test::NotIn(list),
        (None, Some(list)) => Test::In(list),
        (None, None) => {
            return Err(format!("`{part}` is not understood; write KEY in (A,B) or KEY notin (A,B)"));
        }
    };
    Ok(Requirement { key: key(name)?, test })
}

fn field(part: &str) -> Result<Requirement, String> {
    let (name, value, not) = if let Some((name, value)) = part.split_once("!=") {
        (name, value, true)
    } else if let Some((name, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        (name, value, false)
    } else {
        return Err(format!("`{part}` is not understood; write FIELD=VALUE or FIELD!=VALUE"));
    };
    let (name, values) = (name.trim(), vec![value.trim().to_owned()]);
    if !FIELDS.contains(&name) {
        return Err(format!(
            "`{name}` is no field that pods are selected by; use one of {}",
            FIELDS.join(", ")
        ));
    }
    Ok(Requirement { key: name.to_owned(), test: if not { Test::NotIn(values) } else { Test::In(values) } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(selector: &str, labels: &[(&str, &str)]) -> Result<bool, String> {
        let value = |key: &str| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
        Ok(parse_labels(selector)?.iter().all(|r| r.holds(value(&r.key))))
    }

    #[test]
    fn selectors_hold_as_kubernetes_has_them() {
        let web = [("app", "web"), ("tier", "front"), ("a.b/c", "")];
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app = web , tier in (front, back)", true),
            ("tier notin (front,back)", false),
            ("region notin (eu)", true),
            ("region!=eu", true),
            ("app", true),
            ("!app", false),
            ("!region,a.b/c=", true),
            ("app in (db)", false),
        ] {
            assert_eq!(check(selector, &web), Ok(expected), "{selector}");
        }
        for bad in ["app near (web)", "a b", "=web", "app in web", "a b=c"] {
            assert!(check(bad, &web).is_err(), "{bad}");
        }
    }

    #[test]
    fn fields_are_those_of_the_api() {
        let found = parse_fields("status.phase!=Running,spec.nodeName=n1").unwrap();
        assert!(found[0].holds(Some("Pending")) && !found[0].holds(Some("Running")));
        assert!(found[1].holds(Some("n1")) && !found[1].holds(Some("n2")));
        assert!(parse_fields("spec.replicas=1").unwrap_err().contains("status.phase"));
        assert!(parse_fields("status.phase").is_err());
    }
}
