//! D1's limits on statements.

#[test]
fn no_statement_binds_more_than_d1_allows() {
    for sql in keycap::store::statements() {
        let bound = (1..=200)
            .filter(|n| sql.text.contains(&format!("?{n}")))
            .max()
            .unwrap_or(0);
        assert!(bound <= 100, "{}", sql.name);
        assert!(sql.text.len() < 100_000, "{}", sql.name);
    }
}

/// Lists the Rust files below a folder.
fn rust_files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_core_is_pure() {
    let mut found = Vec::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/domain");
    rust_files(std::path::Path::new(folder), &mut found);
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        for forbidden in [
            "worker::",
            "wasm_bindgen",
            "js_sys",
            "SystemTime",
            "Instant",
            "async fn",
            ".await",
            "getrandom",
            "crate::ports",
            "crate::store",
        ] {
            assert!(!text.contains(forbidden), "{}: {forbidden}", path.display());
        }
    }
}

#[test]
fn sql_is_only_in_the_store() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut files = Vec::new();
    rust_files(std::path::Path::new(source), &mut files);
    assert!(files.len() > 30);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let in_store = path.strip_prefix(source).unwrap().starts_with("store");
        let has_sql = ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM"]
            .iter()
            .any(|word| text.contains(word));
        assert!(in_store || !has_sql, "{}", path.display());
        assert!(
            !in_store || !text.contains("format!("),
            "{}: nothing is formatted into SQL",
            path.display()
        );
    }
}
