//! Reading fields of an object's JSON without trusting its shape: what is missing or of another type is absent.

use ph_model::ObjectRef;
use serde_json::Value;

/// The value at a path of object keys.
pub(crate) fn at<'a>(v: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(v, |v, key| v.get(key))
}

pub(crate) fn text<'a>(v: &'a Value, path: &[&str]) -> &'a str {
    at(v, path).and_then(Value::as_str).unwrap_or("")
}

pub(crate) fn int(v: &Value, path: &[&str]) -> Option<i64> {
    at(v, path).and_then(Value::as_i64)
}

pub(crate) fn flag(v: &Value, path: &[&str]) -> bool {
    at(v, path).and_then(Value::as_bool).unwrap_or(false)
}

pub(crate) fn list<'a>(v: &'a Value, path: &[&str]) -> &'a [Value] {
    at(v, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An RFC 3339 time as ms UTC; `None` when it is no such time.
pub fn time_ms(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

pub(crate) fn time_at(v: &Value, path: &[&str]) -> Option<i64> {
    time_ms(text(v, path))
}

/// `metadata.uid`, or `""`.
pub fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"])
}

/// `metadata.creationTimestamp` as ms UTC.
pub fn creation_ms(object: &Value) -> Option<i64> {
    time_at(object, &["metadata", "creationTimestamp"])
}

pub(crate) fn reference(object: &Value) -> ObjectRef {
    ObjectRef {
        api_version: text(object, &["apiVersion"]).to_owned(),
        kind: text(object, &["kind"]).to_owned(),
        namespace: text(object, &["metadata", "namespace"]).to_owned(),
        name: text(object, &["metadata", "name"]).to_owned(),
        uid: uid(object).to_owned(),
    }
}

/// The controlling owner reference, without its namespace filled from elsewhere than the object's own.
pub fn owner(object: &Value) -> Option<ObjectRef> {
    let refs = list(object, &["metadata", "ownerReferences"]);
    let controller = refs.iter().find(|r| flag(r, &["controller"])).or_else(|| refs.first())?;
    Some(ObjectRef {
        api_version: text(controller, &["apiVersion"]).to_owned(),
        kind: text(controller, &["kind"]).to_owned(),
        namespace: text(object, &["metadata", "namespace"]).to_owned(),
        name: text(controller, &["name"]).to_owned(),
        uid: text(controller, &["uid"]).to_owned(),
    })
}

/// A condition by its type.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, &["status", "conditions"]).iter().find(|c| text(c, &["type"]) == kind)
}

/// Whether a condition has the given status; absent conditions have none.
pub(crate) fn condition_is(object: &Value, kind: &str, status: &str) -> bool {
    condition(object, kind).is_some_and(|c| text(c, &["status"]) == status)
}
