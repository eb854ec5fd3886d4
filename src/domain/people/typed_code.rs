//! Codes that a person reads on one screen and types on another.

/// The letters of a code: no vowels, so that no words come of it (RFC 8628, section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// The letters of a code: 20 to the power of 8 possible codes.
pub const CODE_LETTERS: usize = 8;

/// The code of random bytes, or of those of a hash. Some letters are likelier than others by an eighth, which makes no code
/// guessable.
pub fn code_of(bytes: &[u8]) -> String {
    let letter = |byte: &u8| {
        let at = usize::from(*byte).checked_rem(LETTERS.len())?;
        LETTERS.get(at).map(|letter| char::from(*letter))
    };
    bytes.iter().take(CODE_LETTERS).filter_map(letter).collect()
}

/// The code as it is shown: two groups of four letters.
pub fn shown(code: &str) -> String {
    let (first, second) = code.split_at_checked(4).unwrap_or((code, ""));
    [first, "-", second].concat()
}

/// What was typed, as codes are written: capitals, blanks and dashes make no difference.
pub fn typed(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{CODE_LETTERS, code_of, shown, typed};

    #[test]
    fn a_code_is_read_back_however_it_is_typed() {
        let code = code_of(&[0, 1, 19, 20, 255, 128, 7, 9, 3]);
        assert_eq!(code.len(), CODE_LETTERS);
        assert_eq!(shown(&code), format!("{}-{}", &code[..4], &code[4..]));
        for spelt in [
            shown(&code),
            shown(&code).to_lowercase(),
            format!(" {} {} ", &code[..4], &code[4..]),
        ] {
            assert_eq!(typed(&spelt), code, "{spelt}");
        }
        assert_eq!(typed("1234-äß"), "");
    }
}
