//! What a filter still asks once some fields are known: those that all lines of one log share.
//!
//! In:     a filter, and the fields that are known. Out: a filter without them that says the same of every record.

use std::borrow::Cow;

use ph_model::Level;

use crate::{Compiled, Filter, Record};

/// What all lines of one container have in common, by the names that filters use. An empty text: it has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'a> {
    /// `None`: only the record knows.
    pub cluster: Option<&'a str>,
    pub namespace: &'a str,
    pub workload: &'a str,
    pub pod: &'a str,
    pub container: &'a str,
    pub node: &'a str,
    pub zone: &'a str,
}

impl<'a> Columns<'a> {
    pub const NAMES: [&'static str; 7] =
        ["cluster", "namespace", "workload", "pod", "container", "node", "zone"];

    /// A column's text; `None` for what is no such column.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        Some(match name {
            "cluster" => return self.cluster,
            "namespace" => self.namespace,
            "workload" => self.workload,
            "pod" => self.pod,
            "container" => self.container,
            "node" => self.node,
            "zone" => self.zone,
            _ => return None,
        })
    }

    /// What a filter still asks of the container's lines.
    pub fn left(&self, filter: &Filter) -> Filter {
        filter.with_known(&|name| self.text(name).map(|value| Some(value).filter(|v| !v.is_empty())))
    }
}

impl Filter {
    /// The filter with every term about a known field replaced by what it says. `known` gives a field's text, `Some(None)` for a
    /// field that is known to be absent, and `None` for one that only the record knows.
    pub fn with_known<'a>(&self, known: &dyn Fn(&str) -> Option<Option<&'a str>>) -> Filter {
        match self {
            Filter::And(parts) => {
                let parts: Vec<Filter> =
                    parts.iter().map(|p| p.with_known(known)).filter(|p| *p != Filter::All).collect();
                match parts.iter().any(Filter::is_never) {
                    true => Filter::never(),
                    false => Filter::every(parts),
                }
            }
            Filter::Or(parts) => {
                let parts: Vec<Filter> =
                    parts.iter().map(|p| p.with_known(known)).filter(|p| !p.is_never()).collect();
                match parts.contains(&Filter::All) {
                    true => Filter::All,
                    false => Filter::any(parts),
                }
            }
            Filter::Not(part) => match part.with_known(known) {
                Filter::All => Filter::never(),
                part if part.is_never() => Filter::All,
                part => Filter::Not(Box::new(part)),
            },
            leaf => match leaf.names().and_then(known) {
                None => leaf.clone(),
                Some(value) => match Compiled::new(leaf).is_ok_and(|c| c.matches(&Alone(value))) {
                    true => Filter::All,
                    false => Filter::never(),
                },
            },
        }
    }

    /// Whether no record passes, whatever it is.
    pub fn is_never(&self) -> bool {
        matches!(self, Filter::Or(parts) if parts.is_empty())
    }

    fn never() -> Filter {
        Filter::Or(Vec::new())
    }

    /// The field that a single term asks.
    fn names(&self) -> Option<&str> {
        match self {
            Filter::Contains { field, .. } | Filter::Words { field, .. } | Filter::Regex { field, .. } => {
                field.as_deref()
            }
            Filter::Equal { field, .. }
            | Filter::Compare { field, .. }
            | Filter::Between { field, .. }
            | Filter::Has { field } => Some(field),
            _ => None,
        }
    }
}

/// A record of which only the asked field is looked at.
struct Alone<'a>(Option<&'a str>);

impl Record for Alone<'_> {
    fn ts_ns(&self) -> i64 {
        0
    }
    fn level(&self) -> Level {
        Level::Unknown
    }
    fn message(&self) -> &[u8] {
        b""
    }
    fn field(&self, _name: &str) -> Option<Cow<'_, str>> {
        self.0.map(Cow::Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use crate::query::parse_filter;

    /// `pod` is `web-1`, `workload` is absent, everything else is the record's.
    fn check(text: &str, left: &str) {
        let known = |name: &str| match name {
            "pod" => Some(Some("web-1")),
            "workload" => Some(None),
            _ => None,
        };
        let filter = parse_filter(text).unwrap().with_known(&known);
        let got = match filter.is_never() {
            true => "never".to_owned(),
            false => filter.to_string(),
        };
        assert_eq!(got, left, "{text}");
    }

    #[test]
    fn what_is_known_is_said_and_the_rest_stays() {
        check("pod=web-1", "*");
        check("pod=web-2", "never");
        check("not pod=web-2 timeout", "timeout");
        check("pod:web status>=500", "status>=500");
        check("pod=~\"^web-[12]$\" and (level>=warn or pod=web-9)", "level>=warn");
        check("pod=web-1 or timeout", "*");
        check("pod=web-2 or timeout", "timeout");
        check("workload=shop timeout", "never");
        check("workload!=shop timeout", "timeout");
        check("has(pod) has(workload)", "never");
        check("timeout status>=500", "timeout and status>=500");
        check("user=web-1", "user=web-1");
    }
}
