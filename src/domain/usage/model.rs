//! Names of models. OpenRouter's slugs differ in vendor, variant, date and the order of their parts; people know one name
//! for all of them.

/// The words of a model's family that are not written with a capital letter alone.
const WORDS: &[(&str, &str)] = &[
    ("gpt", "GPT"),
    ("oss", "OSS"),
    ("glm", "GLM"),
    ("qwq", "QwQ"),
    ("deepseek", "DeepSeek"),
    ("minimax", "MiniMax"),
    ("ai", "AI"),
    ("vl", "VL"),
    ("moe", "MoE"),
];

/// The models of the Claude family. Their names are written with the version before and after them.
const CLAUDES: &[&str] = &["opus", "sonnet", "haiku", "instant", "fable", "mythos"];

/// The part of a slug that names the variant, such as `free` in `vendor/model:free`.
pub fn variant(slug: &str) -> Option<&str> {
    let (_, variant) = slug.rsplit_once(':')?;
    (!variant.is_empty() && !variant.contains('/')).then_some(variant)
}

/// The name that people are shown, and that usage is grouped by: without vendor, variant and date, with the version after
/// the family. A slug of which nothing would be left is its own name.
pub fn name(slug: &str) -> String {
    let base = slug.rsplit_once('/').map_or(slug, |(_, base)| base);
    let base = match variant(slug) {
        Some(variant) => base
            .strip_suffix(variant)
            .unwrap_or(base)
            .trim_end_matches(':'),
        None => base,
    };
    let base = base.trim_start_matches('~').to_ascii_lowercase();
    let parts: Vec<&str> = base
        .split(['-', '_', ' '])
        .filter(|part| !part.is_empty())
        .collect();
    let parts = versions(without_date(&parts));
    let named = match parts.split_first() {
        Some((first, rest)) if first == "claude" => claude(rest),
        Some((first, _)) if CLAUDES.contains(&first.as_str()) => claude(&parts),
        Some((first, rest)) if first == "gpt" => gpt(rest),
        _ => parts
            .iter()
            .map(|part| word(part))
            .collect::<Vec<_>>()
            .join(" "),
    };
    if named.is_empty() {
        slug.to_owned()
    } else {
        named
    }
}

/// Cuts off a date at the end: `20260601`, or `2026-05-01`, or the `05-06` of a preview.
fn without_date<'a>(parts: &'a [&'a str]) -> &'a [&'a str] {
    let digits =
        |part: &str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    match parts {
        [rest @ .., day] if digits(day, 8) && !rest.is_empty() => rest,
        [rest @ .., year, month, day]
            if digits(year, 4) && digits(month, 2) && digits(day, 2) && !rest.is_empty() =>
        {
            rest
        }
        [rest @ .., "preview", month, day]
            if digits(month, 2) && digits(day, 2) && !rest.is_empty() =>
        {
            rest
        }
        _ => parts,
    }
}

/// Joins a version that was written with a dash: `4-5` is 4.5.
fn versions(parts: &[&str]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    let is_digit = |part: &str| part.len() == 1 && part.bytes().all(|b| b.is_ascii_digit());
    for part in parts {
        match joined.last_mut() {
            Some(last) if is_digit(last) && is_digit(part) => {
                last.push('.');
                last.push_str(part);
            }
            _ => joined.push((*part).to_owned()),
        }
    }
    joined
}

fn is_version(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// `claude-sonnet-4.5`, `claude-4.5-sonnet` and `sonnet-4.5` are one model.
fn claude(parts: &[String]) -> String {
    let words = parts.iter().filter(|part| !is_version(part));
    let numbers = parts.iter().filter(|part| is_version(part));
    let parts = words.chain(numbers).map(|part| word(part));
    std::iter::once(String::from("Claude"))
        .chain(parts)
        .collect::<Vec<_>>()
        .join(" ")
}

/// `gpt-5.6-mini` is GPT-5.6 mini, as its vendor writes it.
fn gpt(parts: &[String]) -> String {
    let mut named = String::from("GPT");
    for (n, part) in parts.iter().enumerate() {
        let is_of_the_version = n == 0;
        named.push(if is_of_the_version { '-' } else { ' ' });
        named.push_str(part);
    }
    named
}

/// One word with capitals: sizes such as `70b` in whole, others at their beginning.
fn word(part: &str) -> String {
    if let Some((_, known)) = WORDS.iter().find(|(word, _)| *word == part) {
        return (*known).to_owned();
    }
    let is_size = part.starts_with(|c: char| c.is_ascii_digit()) && part.ends_with(['b', 'k', 'm']);
    if is_size {
        return part.to_ascii_uppercase();
    }
    let mut letters = part.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_model_has_one_name_whatever_its_slug() {
        for (slugs, expected) in [
            (
                &[
                    "anthropic/claude-sonnet-4.5",
                    "anthropic/claude-sonnet-4.5:beta",
                    "anthropic/claude-4.5-sonnet",
                    "anthropic/claude-4.5-sonnet-20250929",
                    "claude-sonnet-4-5-20250929",
                    "sonnet-4.5",
                ][..],
                "Claude Sonnet 4.5",
            ),
            (
                &[
                    "anthropic/claude-sonnet-5",
                    "anthropic/claude-5-sonnet-20260601",
                ],
                "Claude Sonnet 5",
            ),
            (
                &["anthropic/claude-opus-4.1", "claude-opus-4-1"],
                "Claude Opus 4.1",
            ),
            (
                &[
                    "openai/gpt-5.6",
                    "openai/gpt-5.6-2026-05-01",
                    "openai/gpt-5.6:online",
                ],
                "GPT-5.6",
            ),
            (
                &["openai/gpt-4o-mini", "openai/gpt-4o-mini-2024-07-18"],
                "GPT-4o mini",
            ),
            (
                &[
                    "google/gemini-2.5-pro",
                    "google/gemini-2.5-pro-preview-05-06",
                ],
                "Gemini 2.5 Pro",
            ),
            (
                &["~google/gemini-3-flash", "google/gemini-3-flash:free"],
                "Gemini 3 Flash",
            ),
            (
                &["meta-llama/llama-3.3-70b-instruct:free"],
                "Llama 3.3 70B Instruct",
            ),
            (&["deepseek/deepseek-r1"], "DeepSeek R1"),
        ] {
            for slug in slugs {
                assert_eq!(name(slug), expected, "{slug}");
            }
        }
    }

    #[test]
    fn different_models_keep_different_names() {
        let names = [
            "openai/gpt-5",
            "openai/gpt-5.1",
            "openai/gpt-5-mini",
            "anthropic/claude-sonnet-4",
            "anthropic/claude-opus-4",
        ];
        let mut named: Vec<String> = names.iter().map(|slug| name(slug)).collect();
        named.sort();
        named.dedup();
        assert_eq!(named.len(), names.len(), "{named:?}");
    }

    #[test]
    fn a_variant_is_what_follows_the_last_colon() {
        assert_eq!(variant("vendor/model:free"), Some("free"));
        for slug in ["vendor/model", "vendor/model:", "a:b/model"] {
            assert_eq!(variant(slug), None, "{slug}");
        }
    }

    proptest! {
        #[test]
        fn no_slug_is_left_without_a_name(slug in "\\PC{1,40}") {
            prop_assert!(!name(&slug).is_empty());
        }
    }
}
