//! The rule between the rooms of `src/`, which `docs/architecture.md` explains: a room uses only the rooms before it,
//! no files use each other in a circle, and no two types share a name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The rooms in their order. Rooms in the same line do not use each other.
const ROOMS: [&[&str]; 7] = [
    &["domain"],
    &["ports"],
    &["config", "crypto", "store", "upstream"],
    &["app"],
    &["http", "jobs"],
    &["platform"],
    &[""],
];

/// A file of `src/`: its module path, and its text without comments and tests.
struct Module {
    path: Vec<String>,
    text: String,
}

/// Reads every file of `src/`.
fn modules() -> Vec<Module> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            if file.is_dir() {
                folders.push(file);
            } else if file.extension().is_some_and(|ending| ending == "rs") {
                let inside = file.strip_prefix(&root).unwrap().with_extension("");
                let mut path: Vec<String> = inside
                    .iter()
                    .map(|part| part.to_str().unwrap().to_owned())
                    .collect();
                if path
                    .last()
                    .is_some_and(|last| last == "mod" || last == "lib")
                {
                    path.pop();
                }
                let text = std::fs::read_to_string(&file).unwrap();
                let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
                let lines = text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"));
                let text = lines.collect::<Vec<_>>().join("\n");
                found.push(Module { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The paths that a `use` tree or an expression names after `start`, each as its segments. `text` begins behind
/// `start`.
fn paths(start: &[&str], text: &str) -> Vec<Vec<String>> {
    let name_end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    if let Some(tree) = text.strip_prefix('{') {
        let mut found = Vec::new();
        let (mut depth, mut from) = (0, 0);
        for (at, c) in tree.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                '}' | ',' if depth == 0 => {
                    found.extend(paths(start, tree[from..at].trim()));
                    from = at + 1;
                    if c == '}' {
                        return found;
                    }
                }
                _ => {}
            }
        }
        return found;
    }
    let mut path = start.to_vec();
    if !name.is_empty() && name != "self" {
        path.push(name);
    }
    match rest.strip_prefix("::") {
        Some(rest) => paths(&path, rest.trim_start()),
        None => vec![path.into_iter().map(str::to_owned).collect()],
    }
}

/// The modules that each module uses: by `crate::`, by `super::`, or by the name of a child.
fn uses(modules: &[Module]) -> BTreeMap<&[String], BTreeSet<&[String]>> {
    let known: BTreeSet<&[String]> = modules.iter().map(|module| &module.path[..]).collect();
    let mut all = BTreeMap::new();
    for Module { path, text } in modules {
        let mut used = BTreeSet::new();
        let mut named: Vec<Vec<String>> = text
            .match_indices("crate::")
            .flat_map(|(at, start)| paths(&[], text[at + start.len()..].trim_start()))
            .collect();
        for (at, _) in text.match_indices("super::") {
            let up = text[at..].split("::").take_while(|part| *part == "super");
            let up = up.count().min(path.len());
            let start: Vec<&str> = path[..path.len() - up].iter().map(String::as_str).collect();
            named.extend(paths(
                &start,
                text[at + up * "super::".len()..].trim_start(),
            ));
        }
        for child in known.iter().filter(|child| child.len() == path.len() + 1) {
            let name = &child[path.len()];
            let is_used = text.match_indices(&format!("{name}::")).any(|(at, _)| {
                !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
            });
            if child.starts_with(path) && is_used {
                named.push(child.to_vec());
            }
        }
        for name in named {
            let longest = (1..=name.len())
                .rev()
                .find_map(|end| known.get(&name[..end]));
            used.extend(longest.filter(|module| **module != &path[..]));
        }
        all.insert(&path[..], used);
    }
    all
}

fn place(room: &str) -> usize {
    ROOMS
        .iter()
        .position(|row| row.contains(&room))
        .unwrap_or_else(|| panic!("src/{room} is in no room"))
}

#[test]
fn a_room_uses_only_the_rooms_before_it() {
    let modules = modules();
    let room = |path: &[String]| path.first().cloned().unwrap_or_default();
    let mut wrong = Vec::new();
    for (from, targets) in uses(&modules) {
        for to in targets {
            let (here, there) = (room(from), room(to));
            if here != there && place(&there) >= place(&here) {
                wrong.push(format!("{} uses {}", from.join("::"), to.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let modules = modules();
    let mut left = uses(&modules);
    // A module that uses none of the modules left is in no circle, and neither is one that none of them uses. The modules
    // that remain at the end are in one, or on the way from one to another.
    loop {
        let used: BTreeSet<_> = left.values().flatten().copied().collect();
        let done: Vec<_> = left
            .iter()
            .filter(|(module, uses)| {
                !used.contains(*module) || !uses.iter().any(|module| left.contains_key(module))
            })
            .map(|(module, _)| *module)
            .collect();
        if done.is_empty() {
            break;
        }
        left.retain(|module, _| !done.contains(module));
    }
    let circles: Vec<_> = left
        .iter()
        .map(|(module, used)| {
            let used: Vec<_> = used
                .iter()
                .filter(|module| left.contains_key(*module))
                .map(|module| module.join("::"))
                .collect();
            format!("{} uses {}", module.join("::"), used.join(", "))
        })
        .collect();
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn no_two_types_share_a_name() {
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Module { path, text } in modules() {
        for line in text.lines() {
            // Types that a macro declares are indented, and so are the associated types of a trait, which are none of
            // ours.
            let is_indented = line.starts_with(' ');
            let line = line.trim_start();
            let line = line
                .strip_prefix("pub(crate) ")
                .or_else(|| line.strip_prefix("pub "))
                .unwrap_or(line);
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let is_type = match words.next() {
                Some("struct" | "enum" | "trait" | "union") => true,
                Some("type") => !is_indented,
                _ => false,
            };
            // Where a macro declares a type, its name stands at the macro's use.
            if is_type && let Some(name) = words.next().filter(|name| !name.is_empty()) {
                let name = name.to_owned();
                homes.entry(name).or_default().push(path.join("::"));
            }
        }
    }
    homes.retain(|_, homes| homes.len() > 1);
    assert!(homes.is_empty(), "{homes:#?}");
}
