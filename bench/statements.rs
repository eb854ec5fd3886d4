//! Prints every statement of the application as one JSON object: its text by its name, such as `cards::OF_MEMBER`. The
//! bench and the tests on workerd read it.

use std::collections::BTreeMap;

fn main() {
    let named = keycap::store::statements()
        .into_iter()
        .map(|sql| (sql.short_name(), sql.text));
    let all: BTreeMap<&str, &str> = named.collect();
    println!("{}", serde_json::json!(all));
}
