//! Conditions on what all lines of a container have in common: its pod, its node, its workload. No agent knows all of these, so
//! they are answered here, and agents are asked for the rest.
//!
//! Never:  a container is read of which no line can pass.

use ph_api::LogSource;
use ph_filter::{Columns, Filter};

use super::resolve::Resolved;

/// The columns of a container, by the names that filters use.
pub const NAMES: [&str; 7] = Columns::NAMES;

fn of(source: &LogSource) -> Columns<'_> {
    Columns {
        cluster: Some(&source.cluster),
        namespace: &source.namespace,
        workload: &source.workload,
        pod: &source.pod,
        container: &source.container,
        node: &source.node,
        zone: &source.zone,
    }
}

/// What every line of a source has in common; `None` for what is no such column.
pub fn text<'a>(source: &'a LogSource, name: &str) -> Option<&'a str> {
    of(source).text(name)
}

/// What a filter still asks of a source's lines.
pub fn left(filter: &Filter, source: &LogSource) -> Filter {
    of(source).left(filter)
}

/// Whether a filter asks for any of them.
pub fn asked_by(filter: &Filter) -> bool {
    filter.with_known(&|name| NAMES.contains(&name).then_some(None)) != *filter
}

/// The sources of which a line can pass.
pub fn meant(mut found: Vec<Resolved>, filter: &Filter) -> Vec<Resolved> {
    if asked_by(filter) {
        found.retain(|r| !left(filter, &r.json).is_never());
    }
    found
}

#[cfg(test)]
mod tests {
    use ph_filter::query::parse_filter;

    use super::*;

    #[test]
    fn a_condition_on_the_source_chooses_sources_and_the_rest_is_asked_of_lines() {
        let source = |pod: &str| LogSource { pod: pod.into(), node: "n1".into(), ..LogSource::default() };
        let all = [source("web-1"), source("web-2"), source("db-0")];
        let check = |text: &str, want: [&str; 3]| {
            let filter = parse_filter(text).unwrap();
            let got = all.iter().map(|s| left(&filter, s)).map(|f| match f.is_never() {
                true => "none".to_owned(),
                false => f.to_string(),
            });
            assert_eq!(got.collect::<Vec<_>>(), want, "{text}");
        };
        check("pod=web-1 timeout", ["timeout", "none", "none"]);
        check("pod:web level>=warn", ["level>=warn", "level>=warn", "none"]);
        check("not pod=db-0", ["*", "*", "none"]);
        check("pod=db-0 or timeout", ["timeout", "timeout", "*"]);
        check("node=n1 zone=z1", ["none", "none", "none"]);
        check("timeout", ["timeout", "timeout", "timeout"]);
        assert!(asked_by(&parse_filter("a or (b and not pod=x)").unwrap()));
        assert!(!asked_by(&parse_filter("podium=x and status>=500").unwrap()));
    }
}
