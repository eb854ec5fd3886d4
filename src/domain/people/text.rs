//! Texts that people write, as they are stored: names, notes, reasons and answers. Invisible characters are removed,
//! because two names must not differ only by them. A text without one visible character is refused.

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The text has characters but no visible one, or it is empty where a text is required.
    Invisible,
    TooLong,
}

/// Reads one line of at most `most` characters, such as a name. It returns the text without invisible characters.
pub fn line(text: &str, most: usize) -> Result<String, Refused> {
    let kept: String = kept(text).filter(|c| *c != '\n').collect();
    let kept = kept.trim();
    if !kept.chars().any(is_visible) {
        Err(Refused::Invisible)
    } else if kept.chars().count() > most {
        Err(Refused::TooLong)
    } else {
        Ok(kept.to_owned())
    }
}

/// Reads lines of at most `most` characters in all, such as a note. It returns `None` if nothing was written.
pub fn lines(text: &str, most: usize) -> Result<Option<String>, Refused> {
    // A keyboard makes these characters while nothing is written. A text that has only other
    // blanks was typed on purpose, so it is refused below.
    let written = text.trim_matches([' ', '\t', '\r', '\n']);
    let text = text.replace("\r\n", "\n").replace(LINE_ENDS, "\n");
    let kept: String = kept(&text).collect();
    let kept = kept.trim();
    if written.is_empty() {
        Ok(None)
    } else if !kept.chars().any(is_visible) {
        Err(Refused::Invisible)
    } else if kept.chars().count() > most {
        Err(Refused::TooLong)
    } else {
        Ok(Some(kept.to_owned()))
    }
}

/// The characters that end a line or a paragraph, besides the line feed.
const LINE_ENDS: [char; 4] = ['\r', '\u{85}', '\u{2028}', '\u{2029}'];
const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// The characters that are stored: visible ones, white space, line feeds, and those that join or vary an emoji.
fn kept(text: &str) -> impl Iterator<Item = char> {
    let mut before = None;
    let mut rest = text.chars().peekable();
    std::iter::from_fn(move || {
        loop {
            let c = rest.next()?;
            let stays = match c {
                ZERO_WIDTH_JOINER => {
                    before.is_some_and(is_of_an_emoji) && rest.peek().copied().is_some_and(is_emoji)
                }
                '\u{fe0e}' | '\u{fe0f}' => {
                    before.is_some_and(is_emoji) || rest.peek() == Some(&'\u{20e3}')
                }
                c => c == '\n' || !is_invisible(c),
            };
            if stays {
                before = Some(c);
                return Some(c);
            }
        }
    })
}

fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21ff}'
        | '\u{2300}'..='\u{23ff}' | '\u{24c2}' | '\u{25a0}'..='\u{27bf}' | '\u{2900}'..='\u{297f}'
        | '\u{2b00}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
}

/// Answers whether a character is an emoji, or varies the emoji before it.
fn is_of_an_emoji(c: char) -> bool {
    is_emoji(c) || c == '\u{fe0f}'
}

/// Answers whether a reader sees this character by itself: it is no white space, and no mark that needs a letter.
fn is_visible(c: char) -> bool {
    let is_mark = matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe0e}' | '\u{fe0f}' | '\u{fe20}'..='\u{fe2f}');
    !c.is_whitespace() && !is_mark && !is_invisible(c) && c != ZERO_WIDTH_JOINER
}

/// Answers whether a character is invisible: a control character, one that changes the direction of the text, one of
/// zero width, a blank letter or pattern such as a filler, a selector, a tag, or a code point that is no character.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffc}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 64;

    #[test]
    fn a_name_that_nobody_can_see_is_refused() {
        for text in [
            "",
            " ",
            "\u{200b}",
            "\u{200d}",
            "\u{2800}",
            "\u{3164}",
            "\u{ffa0}",
            "\u{115f}\u{1160}",
            "\u{34f}",
            "\u{2060}",
            "\u{feff}",
            "\u{ad}",
            "\u{61c}",
            "\u{2028}\u{2029}",
            "\u{180e}",
            "\u{fe0f}",
            "\u{e0041}\u{e007f}",
            "\u{301}",
            "\u{200d}\u{fe0f}\u{301} \u{a0}\u{3000}",
            "\u{202e}\u{2066}\u{200f}",
            "\0\u{1b}\t\r\n",
            "\u{ffff}\u{fdd0}\u{1fffe}",
        ] {
            assert_eq!(line(text, MOST), Err(Refused::Invisible), "{text:?}");
        }
    }

    #[test]
    fn invisible_characters_are_removed_from_a_name() {
        for (text, kept) in [
            ("a\u{200b}b", "ab"),
            ("a\u{200d}b", "ab"),
            ("a\u{61c}b\u{2028}c", "abc"),
            ("\u{2060}laptop\u{feff} ", "laptop"),
            ("my\tkey\n\u{0}\u{202e}", "mykey"),
            ("a\u{fe0f}", "a"),
            ("soft\u{ad}hyphen", "softhyphen"),
            ("ｈ\u{3164}i", "ｈi"),
        ] {
            assert_eq!(line(text, MOST).as_deref(), Ok(kept), "{text:?}");
        }
    }

    #[test]
    fn visible_text_of_any_language_stays_as_it_is() {
        for text in [
            "laptop",
            "Grüße, 今日は",
            "e\u{301}",
            "👩\u{200d}💻",
            "❤\u{fe0f}\u{200d}🔥",
            "👩\u{1f3fd}\u{200d}🚀",
            "1\u{fe0f}\u{20e3}",
            "🏳\u{fe0f}\u{200d}🌈",
            "שלום",
            "مرحبا",
            "हिन्दी",
            "a b",
            "—",
            "⠓⠊",
        ] {
            assert_eq!(line(text, MOST).as_deref(), Ok(text), "{text:?}");
            assert_eq!(lines(text, MOST), Ok(Some(text.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn a_note_keeps_its_lines_and_may_be_none() {
        for (text, kept) in [
            ("", Ok(None)),
            (" \t\r\n ", Ok(None)),
            ("\u{202e}\0", Err(Refused::Invisible)),
            ("\u{200b}", Err(Refused::Invisible)),
            ("\u{2028}", Err(Refused::Invisible)),
            ("\u{a0}\u{3000}", Err(Refused::Invisible)),
            ("\n\u{2800}\n", Err(Refused::Invisible)),
            ("  I teach.  ", Ok(Some("I teach."))),
            ("one\r\ntwo\rthree", Ok(Some("one\ntwo\nthree"))),
            (
                "one\u{2028}two\u{2029}three\u{85}four",
                Ok(Some("one\ntwo\nthree\nfour")),
            ),
            ("a\u{0}b\u{1b}c\u{202e}d\u{2066}e", Ok(Some("abcde"))),
        ] {
            assert_eq!(
                lines(text, MOST),
                kept.map(|kept| kept.map(str::to_owned)),
                "{text:?}"
            );
        }
    }

    #[test]
    fn length_is_counted_in_the_characters_that_are_stored() {
        let full = "ü".repeat(MOST);
        assert_eq!(line(&format!(" {full}\0\u{200b} "), MOST), Ok(full.clone()));
        assert_eq!(lines(&format!(" {full}\0 "), MOST), Ok(Some(full.clone())));
        assert_eq!(line(&format!("{full}x"), MOST), Err(Refused::TooLong));
        assert_eq!(lines(&format!("{full}x"), MOST), Err(Refused::TooLong));
    }

    fn invisible() -> Vec<char> {
        let all = char::MIN..=char::MAX;
        all.filter(|c| is_invisible(*c)).collect()
    }

    proptest! {
        #[test]
        fn stored_text_is_visible_stable_and_contains_nothing_new(text in "\\PC{0,80}|[\u{1f000}-\u{1faff}\u{200b}-\u{200f}\u{fe0f}a ]{0,40}") {
            if let Ok(kept) = line(&text, 1_000) {
                prop_assert!(kept.chars().any(is_visible));
                prop_assert_eq!(kept.trim(), kept.as_str());
                prop_assert_eq!(line(&kept, 1_000), Ok(kept.clone()));
                let mut given = text.chars();
                prop_assert!(kept.chars().all(|c| given.any(|g| g == c)), "in the order of what was written");
                let hidden = |c: char| is_invisible(c) && !matches!(c, ZERO_WIDTH_JOINER | '\u{fe0e}' | '\u{fe0f}');
                prop_assert!(!kept.chars().any(hidden));
            }
        }

        #[test]
        fn no_two_names_differ_only_by_an_invisible_character(name in "[a-zé今]{1,20}", at in 0_usize..20, c in prop::sample::select(invisible())) {
            let mut letters: Vec<char> = name.chars().collect();
            letters.insert(at.min(letters.len()), c);
            let disguised: String = letters.into_iter().collect();
            prop_assert_eq!(line(&disguised, MOST), Ok(name));
        }
    }
}
