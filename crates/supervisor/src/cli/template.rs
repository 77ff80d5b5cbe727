//! The command behind `--`: a program and its arguments, with places for the input.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use brigade_worker::builtin::Text;
use rustix::fs::{Access, access};

/// What is replaced by the input.
const PLACE: &[u8] = b"{}";

/// A command to be filled in.
pub(super) struct Template {
    words: Vec<Word>,
}

/// One word, cut where the input goes: one piece more than there are places.
struct Word {
    pieces: Vec<Vec<u8>>,
}

impl Template {
    /// The template that these words are. If no word has a place for the input, it comes last.
    pub(super) fn new(words: &[OsString]) -> Self {
        let mut words: Vec<Word> = words.iter().map(|word| Word::new(word.as_bytes())).collect();
        if words.iter().all(|word| word.pieces.len() == 1) {
            words.push(Word::new(PLACE));
        }
        Self { words }
    }

    /// The arguments of the job for this input: JSON text, with all words of the command as the only argument.
    pub(super) fn arguments(&self, input: &[u8]) -> String {
        let words: Vec<Text> = self.words.iter().map(|word| word.fill(input).into()).collect();
        // Neither strings nor arrays of numbers can fail to be written.
        serde_json::to_string(&[words]).unwrap_or_default()
    }
}

impl Word {
    fn new(word: &[u8]) -> Self {
        let (mut pieces, mut rest) = (Vec::new(), word);
        while let Some(at) = rest.windows(PLACE.len()).position(|part| part == PLACE) {
            pieces.push(rest[..at].to_vec());
            rest = &rest[at + PLACE.len()..];
        }
        pieces.push(rest.to_vec());
        Self { pieces }
    }

    fn fill(&self, input: &[u8]) -> Vec<u8> {
        self.pieces.join(input)
    }
}

/// Whether the program can be started, as far as that is known before there is an input.
///
/// # Errors
///
/// A message that says what to do.
pub(super) fn check_program(program: &OsStr) -> Result<(), String> {
    if program.as_bytes().windows(PLACE.len()).any(|part| part == PLACE) {
        return Ok(());
    }
    let name = program.display();
    if program.is_empty() {
        return Err(
            "the name of the program to run is empty; it is the first word behind --".to_owned()
        );
    }
    if program.as_bytes().contains(&b'/') {
        return check_path(Path::new(program))
            .map_err(|reason| format!("cannot run {name}: {reason}"));
    }
    // Without PATH the system has places of its own to look at.
    let Some(path) = env::var_os("PATH") else { return Ok(()) };
    let found: Vec<_> = env::split_paths(&path).map(|folder| folder.join(program)).collect();
    if found.iter().any(|path| check_path(path).is_ok()) {
        return Ok(());
    }
    if let Some(found) = found.iter().find(|path| path.is_file()) {
        let found = found.display();
        return Err(format!(
            "cannot run {found}: you may not execute it; chmod +x {found} may help"
        ));
    }
    let advice = if Path::new(program).is_file() {
        format!("write ./{name} for the one that is here")
    } else {
        "install it, or write its path; what only a shell knows needs one: sh -c '…'".to_owned()
    };
    Err(format!("cannot run {name}: no directory of PATH has such a program; {advice}"))
}

fn check_path(path: &Path) -> Result<(), &'static str> {
    let Ok(metadata) = path.metadata() else { return Err("there is no such file") };
    if metadata.is_dir() {
        return Err("it is a directory");
    }
    access(path, Access::EXEC_OK).map_err(|_| "you may not execute it; chmod +x makes it a program")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str], input: &str) -> String {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        Template::new(&words).arguments(input.as_bytes())
    }

    #[test]
    fn the_input_goes_wherever_its_place_is() {
        assert_eq!(arguments(&["gzip", "-9", "{}"], "a b"), r#"[["gzip","-9","a b"]]"#);
        assert_eq!(arguments(&["cp", "{}", "/to/{}.{}"], "x"), r#"[["cp","x","/to/x.x"]]"#);
        assert_eq!(arguments(&["./{}", "-v"], "run"), r#"[["./run","-v"]]"#);
        assert_eq!(arguments(&["echo", "{{}}"], "x"), r#"[["echo","{x}"]]"#);
    }

    #[test]
    fn without_a_place_it_comes_last() {
        assert_eq!(arguments(&["wc", "-c"], "x"), r#"[["wc","-c","x"]]"#);
        assert_eq!(arguments(&["awk", "{ }"], "x"), r#"[["awk","{ }","x"]]"#);
    }

    #[test]
    fn no_input_is_anything_but_text() {
        for input in ["{}", "0123", "true", "\"x", "$(id)", "", "a\\b"] {
            let [words] =
                serde_json::from_str::<[Vec<Text>; 1]>(&arguments(&["p", "{}"], input)).unwrap();
            assert_eq!(words[1].as_bytes(), input.as_bytes());
        }
        let template = Template::new(&["p".into()]);
        assert_eq!(template.arguments(b"\xff"), r#"[["p",[255]]]"#);
    }

    #[test]
    fn what_cannot_be_run_is_known_beforehand() {
        for (program, reason) in [
            ("", "is empty"),
            ("/", "it is a directory"),
            ("/no/such/program", "there is no such file"),
            ("/proc/version", "chmod +x"),
            ("no-such-program", "PATH"),
            ("cd-is-a-command-of-shells", "sh -c"),
        ] {
            let message = check_program(OsStr::new(program)).unwrap_err();
            assert!(message.contains(reason) && message.contains(program), "{program}: {message}");
        }
        for program in ["sh", "/bin/sh", "{}", "/no/{}"] {
            check_program(OsStr::new(program)).unwrap();
        }
    }
}
