//! Closed sets of words that people write in `pipeline.toml`: [`words!`] declares one as an enum.
//!
//! Constraint: this module knows no set of words. Each part of the pipeline declares those of its
//! own settings, and [`config`](crate::config) reads them.
//!
//! Invariant: a set is declared once. The declaration gives the enum that the code matches on, the
//! words that the file may have, the `enum` of the JSON Schema and the "it may be …" of
//! diagnostics. So a word that nobody handles does not compile: `match` on the enum must name it.

/// One word of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// As it is written in the file.
    pub(crate) text: &'static str,
    /// What it means, as a clause without a full stop.
    pub(crate) meaning: &'static str,
}

/// An enum whose variants are words of the configuration. [`words!`] implements it.
pub(crate) trait Words: Sized {
    /// Every word, in the order in which people are told of them.
    const ALL: &'static [Word];

    /// The variant that `text` is the word of.
    fn from_word(text: &str) -> Option<Self>;
}

/// Declares an enum whose variants are words of the configuration.
///
/// ```ignore
/// words! {
///     /// What to do with a greeting.
///     pub(crate) enum Greeting {
///         Return = "return": "it is answered in kind",
///         Ignore = "ignore": "nothing is said",
///     }
/// }
/// ```
macro_rules! words {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $Name:ident {
            $(
                $(#[$variant_attribute:meta])*
                $Variant:ident = $text:literal: $meaning:literal,
            )+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $Name {
            $(
                #[doc = $meaning]
                $(#[$variant_attribute])*
                $Variant,
            )+
        }

        impl $Name {
            /// As it is written in the configuration.
            $visibility const fn word(self) -> &'static str {
                match self {
                    $($Name::$Variant => $text,)+
                }
            }
        }

        impl $crate::words::Words for $Name {
            const ALL: &'static [$crate::words::Word] =
                &[$($crate::words::Word { text: $text, meaning: $meaning },)+];

            fn from_word(text: &str) -> Option<$Name> {
                [$($Name::$Variant,)+].into_iter().find(|variant| variant.word() == text)
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::Words;

    words! {
        /// What to do with a greeting.
        #[derive(Default)]
        enum Greeting {
            Return = "return": "it is answered in kind",
            #[default]
            Ignore = "ignore": "nothing is said",
        }
    }

    #[test]
    fn each_word_is_read_as_the_variant_that_it_is_written_for() {
        assert_eq!(Greeting::from_word("return"), Some(Greeting::Return));
        assert_eq!(Greeting::from_word("ignore"), Some(Greeting::default()));
        for word in Greeting::ALL {
            assert_eq!(Greeting::from_word(word.text).map(Greeting::word), Some(word.text));
        }
    }

    #[test]
    fn no_other_text_is_a_word() {
        for text in ["", "Return", "return ", "Ignore", "nothing is said"] {
            assert_eq!(Greeting::from_word(text), None, "{text}");
        }
    }
}
