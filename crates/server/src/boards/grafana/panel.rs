//! One panel of Grafana's: what it asks, how it is drawn, its unit, its thresholds, its width.

use ph_api::{BoardLevel, BoardPanel, BoardPanelKind, BoardQuery, BoardThreshold};
use serde_json::Value;

use super::variable::plain;
use super::{Reading, is_set, list, rest_of, text};
use crate::boards::check::{
    LEAST_WIDTH, MAX_EXPR_BYTES, MAX_TITLE, MOST_QUERIES, MOST_THRESHOLDS, MOST_WIDTH,
};

const KNOWN: [&str; 21] = [
    "id",
    "type",
    "title",
    "targets",
    "datasource",
    "gridPos",
    "pluginVersion",
    "fieldConfig",
    "span",
    "panels",
    "collapsed",
    "yaxes",
    "stack",
    "bars",
    "lines",
    "linewidth",
    "format",
    "editable",
    "error",
    "isNew",
    "thresholds",
];
const KNOWN_TARGET: [&str; 18] = [
    "expr",
    "legendFormat",
    "refId",
    "datasource",
    "hide",
    "editorMode",
    "range",
    "instant",
    "format",
    "intervalFactor",
    "step",
    "useBackend",
    "disableTextWrap",
    "fullMetaSearch",
    "includeNullMetadata",
    "code",
    "metric",
    "exemplar",
];
const MAX_LEGEND: usize = 200;

impl Reading {
    /// The panel, or a line on why there is none.
    pub(super) fn panel(&mut self, path: &str, one: &Value) -> Option<BoardPanel> {
        let title = self.cut(&format!("{path}/title"), (&plain(text(one, "title")), MAX_TITLE));
        let title = if title.is_empty() { "Untitled".to_owned() } else { title };
        let Some(kind) = self.kind(path, (one, &title)) else {
            let of = text(one, "type");
            self.leave(
                path,
                format!("the panel \"{title}\": panels of the kind \"{of}\" are not drawn here"),
            );
            return None;
        };
        let queries = self.queries(path, (one, &title));
        if queries.is_empty() {
            self.leave(path, format!("the panel \"{title}\" has no query that could be taken"));
            return None;
        }
        let (min, max) = self.axis(path, (one, kind));
        let panel = BoardPanel {
            unit: self.unit(path, (one, &title)),
            thresholds: self.thresholds(path, (one, kind)),
            width: width(one),
            title,
            heading: String::new(),
            kind,
            queries,
            min,
            max,
        };
        self.settings(path, (one, &panel));
        Some(panel)
    }

    fn kind(&mut self, path: &str, (one, title): (&Value, &str)) -> Option<BoardPanelKind> {
        let custom = one.pointer("/fieldConfig/defaults/custom");
        Some(match text(one, "type") {
            "timeseries" => {
                let style = custom.map_or("", |c| text(c, "drawStyle"));
                if !matches!(style, "" | "line") {
                    self.leave(
                        format!("{path}/fieldConfig"),
                        format!("the panel \"{title}\" is drawn as lines, not as {style}"),
                    );
                }
                let stacking = custom
                    .and_then(|c| c.pointer("/stacking/mode"))
                    .and_then(Value::as_str)
                    .unwrap_or("none");
                match stacking {
                    "none" => BoardPanelKind::Lines,
                    other => {
                        if other != "normal" {
                            self.leave(
                                format!("{path}/fieldConfig"),
                                format!("the panel \"{title}\" is stacked by value, not by {other}"),
                            );
                        }
                        BoardPanelKind::Stack
                    }
                }
            }
            "graph" => {
                if is_set(one.get("bars").unwrap_or(&Value::Null)) {
                    self.leave(
                        format!("{path}/bars"),
                        format!("the panel \"{title}\" is drawn as lines, not as bars"),
                    );
                }
                if is_set(one.get("stack").unwrap_or(&Value::Null)) {
                    BoardPanelKind::Stack
                } else {
                    BoardPanelKind::Lines
                }
            }
            "stat" => BoardPanelKind::Stat,
            of @ ("singlestat" | "gauge") => {
                self.leave(
                    format!("{path}/type"),
                    format!("the panel \"{title}\" is drawn as a figure, not as a {of}"),
                );
                BoardPanelKind::Stat
            }
            "table" => BoardPanelKind::Table,
            "heatmap" => {
                if is_set(one.pointer("/options/calculate").unwrap_or(&Value::Null)) {
                    self.leave(
                        format!("{path}/options/calculate"),
                        format!("the panel \"{title}\" shows the buckets of its series, and makes none of plain values"),
                    );
                }
                BoardPanelKind::Heatmap
            }
            "barchart" => BoardPanelKind::Bars,
            of @ "bargauge" => {
                self.leave(
                    format!("{path}/type"),
                    format!("the panel \"{title}\" is drawn as bars, not as a {of}"),
                );
                BoardPanelKind::Bars
            }
            _ => return None,
        })
    }

    fn queries(&mut self, path: &str, (one, title): (&Value, &str)) -> Vec<BoardQuery> {
        let mut queries = Vec::new();
        for (i, target) in list(one, "targets").iter().enumerate() {
            let at = format!("{path}/targets/{i}");
            let expr = plain(text(target, "expr"));
            let why = if let Some(other) = foreign(target).or_else(|| foreign(one)) {
                Some(format!("asks {other}, which is not there"))
            } else if is_set(target.get("hide").unwrap_or(&Value::Null)) {
                Some("is hidden".to_owned())
            } else if expr.trim().is_empty() {
                Some("has no expression".to_owned())
            } else if expr.len() > MAX_EXPR_BYTES {
                Some(format!("has {} bytes; {MAX_EXPR_BYTES} are the most", expr.len()))
            } else if queries.len() == MOST_QUERIES {
                Some(format!("is one too many: {MOST_QUERIES} are the most of a panel"))
            } else {
                None
            };
            if let Some(why) = why {
                self.leave(at, format!("query {} of the panel \"{title}\" {why}", text(target, "refId")));
                continue;
            }
            let mut rest = rest_of(target, &KNOWN_TARGET);
            if text(target, "format") == "heatmap" && text(one, "type") != "heatmap" {
                rest.push("format".to_owned());
            }
            if !rest.is_empty() {
                self.leave(
                    &at,
                    format!(
                        "not kept of query {} of the panel \"{title}\": {}",
                        text(target, "refId"),
                        rest.join(", ")
                    ),
                );
            }
            let legend = match text(target, "legendFormat") {
                "__auto" => String::new(),
                given => self.cut(&format!("{at}/legendFormat"), (&plain(given), MAX_LEGEND)),
            };
            queries.push(BoardQuery { expr, legend });
        }
        queries
    }

    fn unit(&mut self, path: &str, (one, title): (&Value, &str)) -> String {
        let given = one
            .pointer("/fieldConfig/defaults/unit")
            .or_else(|| one.pointer("/yaxes/0/format"))
            .or_else(|| one.get("format"))
            .and_then(Value::as_str)
            .unwrap_or_default();
        let ours = match given {
            "" | "none" | "short" | "locale" | "string" => "",
            "bytes" | "decbytes" => "By",
            "Bps" | "binBps" => "By/s",
            "percentunit" => "1",
            "percent" => "%",
            "s" | "dtdurations" => "s",
            "ms" | "dtdurationms" => "ms",
            "reqps" | "ops" | "rps" | "wps" | "cps" | "iops" => "/s",
            other => {
                self.leave(path, format!("the unit \"{other}\" of the panel \"{title}\" is not known: its values are plain numbers"));
                ""
            }
        };
        ours.to_owned()
    }

    /// Where the axis of values begins and ends, of panels that have one.
    fn axis(&mut self, path: &str, (one, kind): (&Value, BoardPanelKind)) -> (Option<f64>, Option<f64>) {
        if !kind.has_axis() {
            return (None, None);
        }
        let end = |name: &str| {
            let new = one.pointer(&format!("/fieldConfig/defaults/{name}"));
            let found = new.or_else(|| one.pointer(&format!("/yaxes/0/{name}")))?;
            // Dashboards of old have numbers as texts.
            found.as_f64().or_else(|| found.as_str()?.parse().ok()).filter(|end| end.is_finite())
        };
        match (end("min"), end("max")) {
            (Some(min), Some(max)) if min >= max => {
                self.leave(path, format!("its axis from {min} to {max} is none; it follows the values"));
                (None, None)
            }
            ends => ends,
        }
    }

    fn thresholds(&mut self, path: &str, (one, kind): (&Value, BoardPanelKind)) -> Vec<BoardThreshold> {
        let mut all = Vec::new();
        for (i, old) in list(one, "thresholds").iter().enumerate() {
            let at = format!("{path}/thresholds/{i}");
            let below = text(old, "op") == "lt";
            let level =
                if text(old, "colorMode") == "critical" { BoardLevel::Crit } else { BoardLevel::Warn };
            match old.get("value").and_then(Value::as_f64) {
                Some(value) if !below => all.push(BoardThreshold { value, level, label: String::new() }),
                _ => self.leave(at, "a threshold counts from a value upwards; this one does not"),
            }
        }
        let Some(new) = one.pointer("/fieldConfig/defaults/thresholds") else {
            return self.bounded(path, all);
        };
        // Every panel has thresholds in its file; on a chart they are drawn only when it says so.
        let drawn = one.pointer("/fieldConfig/defaults/custom/thresholdsStyle/mode").and_then(Value::as_str);
        let chart = matches!(kind, BoardPanelKind::Lines | BoardPanelKind::Stack);
        if chart && matches!(drawn, None | Some("off")) {
            return self.bounded(path, all);
        }
        let at = format!("{path}/fieldConfig/defaults/thresholds");
        let steps: Vec<&Value> =
            list(new, "steps").iter().filter(|s| s.get("value").is_some_and(Value::is_number)).collect();
        if text(new, "mode") == "percentage" && !steps.is_empty() {
            self.leave(at, "thresholds in per cent of a range are not kept; they count in the panel's unit");
            return self.bounded(path, all);
        }
        for step in steps {
            let value = step.get("value").and_then(Value::as_f64).unwrap_or_default();
            match level(text(step, "color")) {
                Some(level) => all.push(BoardThreshold { value, level, label: String::new() }),
                None => self.leave(
                    &at,
                    format!(
                        "the threshold at {value} is \"{}\", which marks nothing here",
                        text(step, "color")
                    ),
                ),
            }
        }
        self.bounded(path, all)
    }

    fn bounded(&mut self, path: &str, mut all: Vec<BoardThreshold>) -> Vec<BoardThreshold> {
        if all.len() > MOST_THRESHOLDS {
            self.leave(
                path,
                format!("{} of its thresholds: {MOST_THRESHOLDS} are the most", all.len() - MOST_THRESHOLDS),
            );
            all.truncate(MOST_THRESHOLDS);
        }
        all
    }

    /// Settings of how it looks and behaves, in one line.
    fn settings(&mut self, path: &str, (one, panel): (&Value, &BoardPanel)) {
        let title = &panel.title;
        let mut rest = rest_of(one, &KNOWN);
        if one.get("thresholds").is_some_and(|t| !t.is_array() && is_set(t)) {
            rest.push("thresholds".to_owned());
        }
        if let Some(config) = one.get("fieldConfig") {
            rest.extend(rest_of(config, &["defaults"]).into_iter().map(|n| format!("fieldConfig.{n}")));
            let defaults = config.get("defaults").unwrap_or(&Value::Null);
            let known: &[&str] = match panel.kind.has_axis() {
                true => &["unit", "thresholds", "custom", "min", "max"],
                false => &["unit", "thresholds", "custom"],
            };
            rest.extend(rest_of(defaults, known).into_iter().map(|n| format!("fieldConfig.defaults.{n}")));
            let custom = defaults.get("custom").unwrap_or(&Value::Null);
            let looks = rest_of(custom, &["drawStyle", "stacking", "thresholdsStyle"]);
            rest.extend(looks.into_iter().map(|n| format!("fieldConfig.defaults.custom.{n}")));
        }
        if !rest.is_empty() {
            self.leave(path, format!("not kept of the panel \"{title}\": {}", rest.join(", ")));
        }
    }
}

/// The kind of another data source than Prometheus that it names.
fn foreign(value: &Value) -> Option<&str> {
    let of = value.pointer("/datasource/type").and_then(Value::as_str)?;
    (!matches!(of, "prometheus" | "datasource" | "")).then_some(of)
}

/// In twelfths; Grafana counts 24 columns, long ago 12.
fn width(one: &Value) -> u8 {
    let columns = one.pointer("/gridPos/w").and_then(Value::as_u64).map(|w| w.div_ceil(2));
    let twelfths =
        columns.or_else(|| one.get("span").and_then(Value::as_u64)).unwrap_or(u64::from(MOST_WIDTH) / 2);
    u8::try_from(twelfths).unwrap_or(MOST_WIDTH).clamp(LEAST_WIDTH, MOST_WIDTH)
}

/// What a colour warns of; `None` for one that warns of nothing.
fn level(colour: &str) -> Option<BoardLevel> {
    let colour = colour.to_ascii_lowercase();
    const CRIT: [&str; 8] =
        ["#f2495c", "#e02f44", "#c4162a", "#d44a3a", "#e24d42", "#bf1b00", "#ff7383", "#ad0317"];
    if colour.contains("red") || CRIT.contains(&colour.as_str()) {
        return Some(BoardLevel::Crit);
    }
    let calm = ["green", "blue", "transparent", "text", "purple"].iter().any(|c| colour.contains(c));
    (!calm && !colour.is_empty()).then_some(BoardLevel::Warn)
}
