//! JSON Schemas (draft 2020-12) of an agent's types, and pointers into its input.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_path_to_error::{Path, Segment};

/// What the agent accepts.
pub fn of_input<T: JsonSchema>() -> String {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.into_generator().into_root_schema_for::<T>().as_value().to_string()
}

/// What the agent promises.
pub fn of_output<T: JsonSchema>() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().as_value().to_string()
}

/// The JSON pointer (RFC 6901) of the place that serde reached, empty for the whole document.
pub fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            // Neither is a step into the document: an enum's variant is part of the value.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}
