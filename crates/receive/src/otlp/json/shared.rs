//! Attributes, resources, scopes.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde::de::MapAccess;

use super::scalar::{Base64, maybe, scalar, scalars};
use super::{Cx, Message, list, one};

impl Message for AnyValue {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        let value = match name {
            "stringValue" | "string_value" => maybe(map)?.map(Value::StringValue),
            "boolValue" | "bool_value" => maybe(map)?.map(Value::BoolValue),
            "intValue" | "int_value" => maybe(map)?.map(Value::IntValue),
            "doubleValue" | "double_value" => maybe(map)?.map(Value::DoubleValue),
            "arrayValue" | "array_value" => one(map, cx)?.map(Value::ArrayValue),
            "kvlistValue" | "kvlist_value" => one(map, cx)?.map(Value::KvlistValue),
            "bytesValue" | "bytes_value" => maybe::<Base64, A>(map)?.map(|b| Value::BytesValue(b.0)),
            "stringValueStrindex" | "string_value_strindex" => maybe(map)?.map(Value::StringValueStrindex),
            _ => return Ok(false),
        };
        if value.is_some() {
            self.value = value;
        }
        Ok(true)
    }
}

impl Message for ArrayValue {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "values" => self.values = list(map, cx)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for KeyValueList {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "values" => self.values = list(map, cx)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for KeyValue {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "key" => self.key = scalar(map)?,
            "value" => self.value = one(map, cx)?,
            "keyStrindex" | "key_strindex" => self.key_strindex = scalar(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for InstrumentationScope {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "name" => self.name = scalar(map)?,
            "version" => self.version = scalar(map)?,
            "attributes" => self.attributes = list(map, cx)?,
            "droppedAttributesCount" | "dropped_attributes_count" => {
                self.dropped_attributes_count = scalar(map)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for EntityRef {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, _: &Cx) -> Result<bool, A::Error> {
        match name {
            "schemaUrl" | "schema_url" => self.schema_url = scalar(map)?,
            "type" => self.r#type = scalar(map)?,
            "idKeys" | "id_keys" => self.id_keys = scalars(map)?,
            "descriptionKeys" | "description_keys" => self.description_keys = scalars(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Message for Resource {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, cx: &Cx) -> Result<bool, A::Error> {
        match name {
            "attributes" => self.attributes = list(map, cx)?,
            "droppedAttributesCount" | "dropped_attributes_count" => {
                self.dropped_attributes_count = scalar(map)?;
            }
            "entityRefs" | "entity_refs" => self.entity_refs = list(map, cx)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}
