//! Boards: panels of queries in PromQL that an organisation keeps. The export is the same shape in an envelope.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A board as people write it: what is stored, sent, exported and imported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardSpec {
    /// 1–100 characters, unlike every other board's of the organisation.
    pub title: String,
    /// One sentence on what it shows; may be empty.
    #[serde(default)]
    pub says: String,
    /// In the order of their pickers. At most 20.
    #[serde(default)]
    pub variables: Vec<BoardVariable>,
    /// In reading order. At most 60.
    #[serde(default)]
    pub panels: Vec<BoardPanel>,
}

/// What a board can be narrowed by. `$name` and `${name}` in queries and in the queries of later variables stand for what is chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardVariable {
    /// A word of letters, digits and `_`; not `step`, `rate`, or one that begins with `__`.
    pub name: String,
    pub kind: BoardVariableKind,
    /// `label_values`: the label whose values there are to choose from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// `label_values`: a series selector; values of its series alone. Empty: of all series.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// `list`: what there is to choose from, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// More than one may be chosen. Clusters and namespaces always may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multi: bool,
    /// What is chosen when the address says nothing. Empty: all of them; of a list that takes one, the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preset: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BoardVariableKind {
    /// The clusters of the scope that all rooms share.
    Cluster,
    /// The namespaces of that scope.
    Namespace,
    #[default]
    LabelValues,
    List,
}

/// One drawing of one or more queries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardPanel {
    pub title: String,
    /// Stands over the panel, which then begins a line of its own; empty: it follows the one before. At most 100 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub heading: String,
    #[serde(default)]
    pub kind: BoardPanelKind,
    /// 1–8, lettered A to H in this order.
    pub queries: Vec<BoardQuery>,
    /// What the values are: `By`, `By/s`, `s`, `ms`, `{cpu}`, `1` (a share of one), `%`, `/s`; empty: a plain number.
    #[serde(default)]
    pub unit: String,
    /// Lines on the plot, and colours of figures at or above them. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<BoardThreshold>,
    /// Where the axis of `lines` and `stack` begins; none: at the lowest value or zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Where that axis ends, above `min`; none: above the highest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// In twelfths of the board's width, 2–12.
    #[serde(default = "half")]
    pub width: u8,
}

const HALF: u8 = 6;

fn half() -> u8 {
    HALF
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BoardPanelKind {
    #[default]
    Lines,
    /// Areas on top of each other.
    Stack,
    /// One bar a series, as long as its newest value.
    Bars,
    /// The newest value as a figure with its course.
    Stat,
    /// The newest value of each series, a column a query.
    Table,
    /// Buckets of a histogram over time, a row for each `le`: the more in it, the stronger its colour.
    Heatmap,
}

impl BoardPanelKind {
    /// It has an axis of values, whose ends can be given.
    pub fn has_axis(self) -> bool {
        matches!(self, BoardPanelKind::Lines | BoardPanelKind::Stack)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardQuery {
    /// PromQL, at most 8,192 bytes. `$step`, `$rate`, `$__range` and variables stand in it as they do in Explore.
    pub expr: String,
    /// Name of each series, with `{{label}}` for a label's value. Empty: what tells the series apart.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub legend: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardThreshold {
    /// In the panel's unit; finite.
    pub value: f64,
    pub level: BoardLevel,
    /// Said on the line; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BoardLevel {
    #[default]
    Warn,
    Crit,
}

/// `GET /api/v1/dashboards` → by title.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BoardSummary {
    pub id: String,
    pub title: String,
    pub says: String,
    pub panels: u32,
    pub version: u64,
    /// Label of the actor: `user:ann@example.org`.
    pub created_by: String,
    pub created_ms: i64,
    pub updated_by: String,
    pub updated_ms: i64,
}

/// `GET /api/v1/dashboards/{id}`, and the answer to every change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Board {
    pub id: String,
    /// 1 when it was made, one higher with each change.
    pub version: u64,
    pub created_by: String,
    pub created_ms: i64,
    pub updated_by: String,
    pub updated_ms: i64,
    pub board: BoardSpec,
}

/// `PUT /api/v1/dashboards/{id}`. 409 when a newer version is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardChange {
    /// The version that the change began with.
    pub version: u64,
    pub board: BoardSpec,
}

/// Query of `DELETE /api/v1/dashboards/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BoardRemove {
    /// Refuse when a newer version than this is stored.
    pub version: Option<u64>,
}

/// `GET /api/v1/dashboards/{id}/export`: a file that any organisation can import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BoardDocument {
    /// `pilothouse.board/1`.
    pub format: String,
    pub board: BoardSpec,
}

/// `POST /api/v1/dashboards/import`, at most 4 MiB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardImport {
    /// A [`BoardDocument`], or a dashboard as Grafana exports it.
    #[schema(value_type = Object)]
    pub document: serde_json::Value,
    /// Another title than the document's.
    #[serde(default)]
    pub title: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BoardImported {
    pub board: Board,
    /// Everything of the document that the board does not hold, in the document's order. Empty: all of it was taken.
    pub left_out: Vec<BoardLeftOut>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoardLeftOut {
    /// JSON pointer into the document: `/panels/3/targets/0`.
    pub path: String,
    /// What it was and what stands in its place, for people.
    pub text: String,
}
