//! Variables of the environment: the exporter puts them into its whole file before it reads that,
//! as Go's `os.ExpandEnv` does, so any text may hold some. <https://pkg.go.dev/os#Expand>

/// The name of the one variable that a text is: `${NAME}` or `$NAME`.
pub(super) fn one(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

/// Whether the exporter puts something else in the place of a part of a text. The end of a regular
/// expression, `$`, stays where it is: nothing of a name follows it.
pub(super) fn are_in(text: &str) -> bool {
    let begins = |c: char| c.is_ascii_alphanumeric() || "_{*#$@!?-".contains(c);
    text.split('$').skip(1).any(|behind| behind.starts_with(begins)) || text.contains("$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_exporter_would_expand_is_known() {
        for text in ["${A}", "$A", "^${TEAM}$", "a$b", "pa$$word", "$1", "^a$_", "$?", "${"] {
            assert!(are_in(text), "{text}");
        }
        for text in ["", "a", "^a$", "$", "^(a$|b$)$", "a$ b", "$.", r"\$"] {
            assert!(!are_in(text), "{text}");
        }
        let ones = ["${A}", "$A_1", "${A}b", "a$A", "$", "${}"].map(one);
        assert_eq!(ones, [Some("A"), Some("A_1"), None, None, None, None]);
    }
}
