//! Which columns are read of rows, and which attributes: all of them, or those that a question names.
//!
//! A part has the attributes of most of its rows in columns of their own, named `attr.KEY`, and the others in one map.
//! Who asks names the attribute; where it lies is found part by part.

use std::collections::BTreeSet;

/// The column that holds attributes as a map.
pub(crate) const ATTRS: &str = "attrs";
/// What the name of an attribute's own column begins with.
pub(crate) const OWN: &str = "attr.";

/// See the module's description. With [`ATTRS`] among the names, all attributes are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    names: BTreeSet<&'static str>,
    keys: BTreeSet<String>,
    /// Those of the keys that are looked for elsewhere in rows that do not have them, …
    loose: BTreeSet<String>,
    /// … and where.
    elsewhere: BTreeSet<&'static str>,
}

impl Columns {
    pub fn add(&mut self, name: &'static str) {
        self.names.insert(name);
    }

    /// One attribute, by its key.
    pub fn add_attribute(&mut self, key: &str) {
        self.keys.insert(key.to_owned());
    }

    /// One attribute, and where its name means something in rows without it.
    pub fn add_loose(&mut self, key: &str, elsewhere: impl IntoIterator<Item = &'static str>) {
        self.add_attribute(key);
        self.loose.insert(key.to_owned());
        self.elsewhere.extend(elsewhere);
    }

    pub fn add_all(&mut self, other: &Columns) {
        self.names.extend(&other.names);
        self.keys.extend(other.keys.iter().cloned());
        self.loose.extend(other.loose.iter().cloned());
        self.elsewhere.extend(&other.elsewhere);
    }

    /// Whether attributes are asked for that no name tells.
    pub fn has_all_attributes(&self) -> bool {
        self.names.contains(ATTRS)
    }

    /// The column, when it is the only one and no attribute is asked for.
    pub fn only(&self) -> Option<&'static str> {
        self.names.first().copied().filter(|_| self.names.len() == 1 && self.keys.is_empty())
    }

    /// Numbers of the columns that must be read of rows that have these, ascending. `in_all` says of an attribute with a
    /// column of its own whether all of the rows have it.
    pub fn of_rows(&self, names: &[&str], in_all: &dyn Fn(&str) -> bool) -> Vec<usize> {
        let has_own = |key: &String| names.iter().any(|name| name.strip_prefix(OWN) == Some(key));
        let in_map = self.keys.iter().any(|key| !has_own(key));
        let beyond = self.loose.iter().any(|key| !has_own(key) || !in_all(key));
        let wanted = |name: &str| match name.strip_prefix(OWN) {
            Some(key) => self.has_all_attributes() || self.keys.contains(key),
            None => {
                self.names.contains(name)
                    || (name == ATTRS && in_map)
                    || (beyond && self.elsewhere.contains(name))
            }
        };
        (0..names.len()).filter(|i| names.get(*i).is_some_and(|name| wanted(name))).collect()
    }
}

impl<const N: usize> From<[&'static str; N]> for Columns {
    fn from(names: [&'static str; N]) -> Self {
        Self { names: BTreeSet::from(names), ..Self::default() }
    }
}

impl Extend<&'static str> for Columns {
    fn extend<T: IntoIterator<Item = &'static str>>(&mut self, names: T) {
        self.names.extend(names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rows have `k`.
    fn check(columns: &Columns, of: &[&str], want: &[&str]) {
        let found: Vec<&str> = columns.of_rows(of, &|key| key == "k").into_iter().map(|i| of[i]).collect();
        assert_eq!(found, want, "{columns:?}");
    }

    #[test]
    fn an_attribute_is_read_where_it_lies() {
        let plain = ["ts", "attrs", "attrs_types"];
        let some = ["ts", "attrs", "attrs_types", "attr.k", "attr.k.l"];
        let mut columns = Columns::from(["ts"]);
        check(&columns, &some, &["ts"]);
        columns.add_attribute("k");
        check(&columns, &plain, &["ts", "attrs"]);
        check(&columns, &some, &["ts", "attr.k"]);
        columns.add_attribute("other");
        check(&columns, &some, &["ts", "attrs", "attr.k"]);
        columns.add(ATTRS);
        check(&columns, &plain, &["ts", "attrs"]);
        check(&columns, &some, &["ts", "attrs", "attr.k", "attr.k.l"]);
    }

    #[test]
    fn a_name_is_looked_for_elsewhere_where_some_row_lacks_it() {
        let all = ["ts", "attrs", "resource", "message", "attr.k", "attr.l"];
        let of = |keys: &[&str]| {
            let mut columns = Columns::from(["ts"]);
            keys.iter().for_each(|key| columns.add_loose(key, ["resource", "message"]));
            columns
        };
        check(&of(&["k"]), &all, &["ts", "attr.k"]);
        check(&of(&["l"]), &all, &["ts", "resource", "message", "attr.l"]);
        check(&of(&["k", "other"]), &all, &["ts", "attrs", "resource", "message", "attr.k"]);
        check(&of(&["k"]), &all[..4], &["ts", "attrs", "resource", "message"]);
        assert_eq!(of(&["k"]).only(), None);
    }

    #[test]
    fn one_column_alone() {
        let mut columns = Columns::from(["level"]);
        assert_eq!(columns.only(), Some("level"));
        columns.add_attribute("k");
        assert_eq!(columns.only(), None);
        assert_eq!(Columns::default().only(), None);
    }
}
