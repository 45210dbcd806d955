//! Every link leads somewhere: what code cites of `docs/` and of other pages, and what Markdown
//! links to and names, is there, headings included.
//!
//! - Code (comments, doc comments and strings alike) cites a page by its path from the repository's
//!   root, or from the citing file's folder; a page of `docs/` with a heading, as `#anchor`.
//! - Markdown links relatively. A path that stands there as `code` and begins with the name of one
//!   of the repository's folders is held against the files as well, so that a guide names no file
//!   that has moved.
//! - Anchors are those that GitHub makes of headings.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Folders that hold nothing of ours.
const SKIPPED_FOLDERS: [&str; 4] = [".git", "target", "dist", "demo-out"];
/// Files that are data: what looks like a link there is none.
const SKIPPED_EXTENSIONS: [&str; 5] = ["json", "jsonl", "lock", "sum", "wasm"];
/// Paths in Markdown that begin so, and stand there as `code`, are names of files and folders here.
const NAMED_FOLDERS: [&str; 7] =
    ["benches/", "config/", "deploy/", "docs/", "src/", "tests/", "wit/"];
/// Words that stand for a name in such a path.
const PLACEHOLDERS: [&str; 2] = ["NAME", "PAGE"];

#[test]
fn every_link_leads_somewhere() {
    let (broken, found) = check(Path::new(env!("CARGO_MANIFEST_DIR")));
    let broken: Vec<String> = broken.iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
    assert!(found > 100, "only {found} links were found: are they still looked for?");
}

#[test]
fn the_picture_of_the_architecture_is_made_of_its_source() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let digest = Sha256::digest(std::fs::read(docs.join("architecture.dot")).unwrap());
    let picture = std::fs::read_to_string(docs.join("architecture.svg")).unwrap();
    let is_of = picture.contains(&format!("<!-- made of architecture.dot {digest:x} -->"));
    assert!(is_of, "run tests/env/diagram.sh");
}

/// What a file cites.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cited {
    line: usize,
    /// A path, perhaps with `#anchor` behind it, as it is written.
    target: String,
    from: From,
}

/// Where it is written, which says from where a path leads and what it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// In a comment or a doc comment.
    Comment,
    /// In a string of the code.
    String,
    /// A Markdown link.
    Link,
    /// A path as `code` in Markdown.
    Named,
}

/// A citation that leads nowhere.
#[derive(Debug, PartialEq, Eq)]
struct Broken {
    file: PathBuf,
    cited: Cited,
    why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken { file, cited, why } = self;
        write!(f, "{}:{}: `{}`: {why}", file.display(), cited.line, cited.target)
    }
}

/// All links below `root` that lead nowhere, and how many links there are.
fn check(root: &Path) -> (Vec<Broken>, usize) {
    let (mut broken, mut found) = (Vec::new(), 0);
    for file in files(root) {
        let Ok(text) = std::fs::read_to_string(root.join(&file)) else { continue };
        let is_markdown = file.extension().is_some_and(|extension| extension == "md");
        let cited = if is_markdown { cited_in_markdown(&text) } else { cited_in_code(&text) };
        found += cited.len();
        let broken_here = cited.into_iter().filter_map(|cited| {
            let why = why_broken(root, &file, &cited)?;
            Some(Broken { file: file.clone(), cited, why })
        });
        broken.extend(broken_here);
    }
    (broken, found)
}

/// The files to read, relative to `root`, in order; but for this one, whose tests are full of links
/// that lead nowhere.
fn files(root: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = entry.file_name().to_string_lossy().into_owned();
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                folders.push(path);
            } else if kind.is_file() && !SKIPPED_EXTENSIONS.contains(&extension.as_str()) {
                files.insert(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    files.remove(Path::new(file!()));
    files
}

/// Why a citation leads nowhere, if it does.
fn why_broken(root: &Path, file: &Path, cited: &Cited) -> Option<String> {
    let (path, anchor) = match cited.target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (cited.target.as_str(), None),
    };
    let folder = root.join(file.parent().unwrap());
    let candidates = match cited.from {
        From::Link if path.is_empty() => vec![root.join(file)],
        From::Link => vec![folder.join(path)],
        From::Comment | From::String | From::Named => vec![root.join(path), folder.join(path)],
    };
    let Some(page) = candidates.into_iter().find(|candidate| candidate.exists()) else {
        return Some("there is no such file".to_owned());
    };
    match anchor {
        None if cited.from == From::Comment && path.starts_with("docs/") => {
            Some("cite a heading of the page: docs/PAGE.md#heading".to_owned())
        }
        None => None,
        Some(anchor) => {
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            let has_it = page.extension().is_some_and(|extension| extension == "md")
                && anchors(&text).contains(anchor);
            (!has_it).then(|| "the page has no such heading".to_owned())
        }
    }
}

/// Pages that code names: every run of a path's characters that ends in `.md`, with the anchor
/// behind it. Not those of URLs.
fn cited_in_code(text: &str) -> Vec<Cited> {
    let mut cited = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for (at, _) in line.match_indices(".md") {
            let end = at + ".md".len();
            if line[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let start = line[..at].rfind(|c: char| !is_of_path(c)).map_or(0, |before| {
                before + line[before..].chars().next().map_or(1, char::len_utf8)
            });
            let path = &line[start..end];
            // What is left of a URL, and a pattern such as `*.md`.
            if path.starts_with("//") || path.ends_with("/.md") || path == ".md" {
                continue;
            }
            let from = if line[..start].ends_with('"') { From::String } else { From::Comment };
            let target = format!("{path}{}", anchor_behind(&line[end..]));
            cited.push(Cited { line: number, target, from });
        }
    }
    cited
}

fn is_of_path(c: char) -> bool {
    c.is_alphanumeric() || "_-./".contains(c)
}

/// `#anchor`, where the text begins with one.
fn anchor_behind(text: &str) -> &str {
    let is_of_anchor = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let Some(anchor) = text.strip_prefix('#') else { return "" };
    let length = anchor.find(|c| !is_of_anchor(c)).unwrap_or(anchor.len());
    &text[..1 + length]
}

/// Links of a Markdown text that lead to files and headings, and paths that it names as `code`.
fn cited_in_markdown(text: &str) -> Vec<Cited> {
    let prose = without_fences(text);
    let mut cited = Vec::new();
    let mut line = 1;
    let mut rest = prose.as_str();
    let mut at_line_start = true;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        if first == '`' {
            let (code, whole) = code_span(rest);
            length = whole;
            if let Some(code) = code.filter(|code| is_named_path(code)) {
                cited.push(Cited { line, target: code.to_owned(), from: From::Named });
            }
        } else if let Some(target) = rest.strip_prefix("](") {
            cited.extend(link(target).map(|target| Cited { line, target, from: From::Link }));
        } else if first == '[' && at_line_start {
            let definition = rest.lines().next().unwrap_or_default().split_once("]: ");
            let target = definition.and_then(|(_, target)| link(target));
            cited.extend(target.map(|target| Cited { line, target, from: From::Link }));
        }
        line += rest[..length].matches('\n').count();
        at_line_start = first == '\n';
        rest = &rest[length..];
    }
    cited
}

/// The text with empty lines in the place of fenced blocks.
fn without_fences(text: &str) -> String {
    let mut prose = String::new();
    let mut fence = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (None, None) => prose += line,
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
        }
        prose.push('\n');
    }
    prose
}

/// The inside of the code span that the text begins with, and how long the whole of it is; without
/// one, how many backticks there are.
fn code_span(text: &str) -> (Option<&str>, usize) {
    let ticks = text.len() - text.trim_start_matches('`').len();
    let inside = &text[ticks..];
    let paragraph = &inside[..inside.find("\n\n").unwrap_or(inside.len())];
    let mut from = 0;
    while let Some(at) = paragraph[from..].find('`').map(|at| from + at) {
        let run = paragraph[at..].len() - paragraph[at..].trim_start_matches('`').len();
        if run == ticks {
            return (Some(paragraph[..at].trim()), ticks + at + run);
        }
        from = at + run;
    }
    (None, ticks)
}

/// Whether a code span names a file or folder of the repository.
fn is_named_path(code: &str) -> bool {
    NAMED_FOLDERS.iter().any(|folder| code.starts_with(folder))
        && code.chars().all(|c| is_of_path(c) || c == '#')
        && !PLACEHOLDERS.iter().any(|word| code.contains(word))
}

/// The target of a link, if it leads to a file or a heading. `text` begins behind the `(`.
fn link(text: &str) -> Option<String> {
    let end = text.find(|c: char| c == ')' || c.is_whitespace()).unwrap_or(text.len());
    let target = text[..end].trim_matches(['<', '>']);
    let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
    (!is_elsewhere && !target.is_empty()).then(|| target.to_owned())
}

/// The anchors that GitHub makes of a Markdown text's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let prose = without_fences(text);
    for line in prose.lines() {
        let heading = line.trim_start_matches('#');
        let level = line.len() - heading.len();
        if !(1..=6).contains(&level) || !heading.starts_with(' ') {
            continue;
        }
        let anchor = anchor_of(heading);
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|a| !anchors.contains(a));
        anchors.extend(free);
    }
    anchors
}

/// A heading's anchor before it is numbered: its text in lower case, without punctuation but `-`
/// and `_`, and with `-` for spaces (<https://github.com/gjtorikian/html-pipeline>, its table of
/// contents).
fn anchor_of(heading: &str) -> String {
    shown(heading.trim().trim_end_matches('#').trim_end())
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

/// A heading as it is shown: of a link only its text.
fn shown(heading: &str) -> String {
    let mut shown = String::new();
    let mut rest = heading;
    while let Some((before, behind)) = rest.split_once("](") {
        shown += before;
        rest = behind.split_once(')').map_or("", |(_, behind)| behind);
    }
    shown + rest
}

mod checker {
    use super::*;

    /// What is broken in a repository of these files.
    fn broken(files: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        check(root.path()).0.iter().map(ToString::to_string).collect()
    }

    const PAGE: (&str, &str) = ("docs/page.md", "# Page\n\n## Ids and indices\n");

    #[test]
    fn a_comment_cites_a_heading_that_is_there() {
        let code = "//! The table of docs/page.md#ids-and-indices.\n\
                    /// See `docs/page.md#page`, and <https://example.org/docs/none.md#none>.\n\
                    const GUIDE: &str = include_str!(\"../docs/page.md\");\n";
        assert_eq!(broken(&[PAGE, ("src/a.rs", code)]), [""; 0]);
    }

    #[test]
    fn a_missing_page_and_a_missing_heading_are_told_with_file_and_line() {
        let code = "// Fine.\n// As docs/gone.md#page says.\n\n/// (docs/page.md#idz, \"Ids\")\n";
        assert_eq!(
            broken(&[PAGE, ("src/a/b.rs", code)]),
            [
                "src/a/b.rs:2: `docs/gone.md#page`: there is no such file",
                "src/a/b.rs:4: `docs/page.md#idz`: the page has no such heading",
            ]
        );
    }

    #[test]
    fn a_comment_cites_no_page_without_a_heading() {
        assert_eq!(
            broken(&[PAGE, ("Makefile", "# docs/page.md section 4\n")]),
            ["Makefile:1: `docs/page.md`: cite a heading of the page: docs/PAGE.md#heading"]
        );
    }

    #[test]
    fn a_link_in_markdown_leads_from_its_own_folder() {
        let text = "[a](page.md#page) [b](../src/a.rs) [c](#here) [d](https://example.org/x)\n\n\
                    # Here\n\n[page]: page.md\n";
        assert_eq!(broken(&[PAGE, ("src/a.rs", ""), ("docs/other.md", text)]), [""; 0]);
    }

    #[test]
    fn a_link_in_markdown_that_leads_nowhere_is_told() {
        let text = "# Here\n\n[a](docs/page.md)\n[b](page.md#nowhere) [c](#there)\n\n\
                    `not (a) [link](x.md)`\n```\n[nor](this.md)\n```\n[d](../src)\n\n\
                    [e]: none.md\n";
        assert_eq!(
            broken(&[PAGE, ("docs/other.md", text)]),
            [
                "docs/other.md:3: `docs/page.md`: there is no such file",
                "docs/other.md:4: `page.md#nowhere`: the page has no such heading",
                "docs/other.md:4: `#there`: the page has no such heading",
                "docs/other.md:10: `../src`: there is no such file",
                "docs/other.md:12: `none.md`: there is no such file",
            ]
        );
    }

    #[test]
    fn a_path_that_a_guide_names_is_there() {
        let text = "`src/a.rs`, `src/gone.rs`, `src/NAME.rs`, `src of it`,\n\
                    `docs/page.md#page` and\n`docs/page.md#no`\n";
        assert_eq!(
            broken(&[PAGE, ("src/a.rs", ""), ("GUIDE.md", text)]),
            [
                "GUIDE.md:1: `src/gone.rs`: there is no such file",
                "GUIDE.md:3: `docs/page.md#no`: the page has no such heading",
            ]
        );
    }

    #[test]
    fn anchors_are_those_that_github_makes() {
        let text = "# Exit codes\n## `on_error`, and why\n### Exit codes\n## See [a page](b.md)!\n\
                    ```sh\n# a comment\n```\n#no heading\n## 2. The sink ##\n## Über A/B\n";
        let expected = [
            "2-the-sink",
            "exit-codes",
            "exit-codes-1",
            "on_error-and-why",
            "see-a-page",
            "über-ab",
        ];
        assert_eq!(anchors(text), expected.map(String::from).into());
    }
}
