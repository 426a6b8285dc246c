//! One language for picking log lines, spans and events: in files, in the store, live.

/// What to keep. `All` keeps everything.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    #[default]
    All,
}
