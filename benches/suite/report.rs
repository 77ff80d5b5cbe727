//! The report: printed as it grows, and written as a page, with all rounds beside it as JSON and CSV.

#![expect(clippy::print_stdout, reason = "printing figures is what a benchmark is for")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use brigade_benches::amount::amount;
use brigade_benches::quick;
use brigade_benches::section::{Bar, Limit, Section};
use brigade_benches::table::Table;

/// Says a sentence.
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Prints a section.
pub(crate) fn print(section: &Section, took: Duration) {
    println!("\n== {}: {} ({:.0} s)", section.name, section.title, took.as_secs_f64());
    for table in &section.tables {
        println!("\n{}", table.plain().trim_end());
    }
    if !section.bars.is_empty() {
        println!("\n{}", table_of_bars(&[section]).plain().trim_end());
    }
    for note in &section.notes {
        println!("\n  {note}");
    }
}

/// Prints all bars once more, and writes the page and the rounds.
pub(crate) fn finish(sections: &[Section], folder: &Path, keep_plots: bool) {
    let all: Vec<&Section> = sections.iter().collect();
    let bars = table_of_bars(&all);
    println!("\n== Bars\n\n{}", bars.plain().trim_end());
    let page = page(sections, &bars);
    let json = serde_json::to_string_pretty(sections).expect("sections can be written as JSON");
    for (name, text) in [("report.md", page), ("rounds.json", json), ("rounds.csv", csv(sections))]
    {
        fs::write(folder.join(name), text).expect("the folder can be written to");
    }
    println!("\nreport.md, rounds.json, rounds.csv and the plots are in {}", folder.display());
    if keep_plots {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("plots");
        fs::create_dir_all(&kept).expect("the repository can be written to");
        for plot in sections.iter().flat_map(|section| &section.plots) {
            fs::copy(folder.join(plot), kept.join(plot)).expect("a plot can be copied");
        }
        println!("the plots were copied to {}", kept.display());
    }
}

fn table_of_bars(sections: &[&Section]) -> Table {
    let head = ["what", "bar", "measured: median (least–most)", ""];
    let mut table = Table::new("What is to be reached, judged by the median", &head);
    for section in sections {
        for bar in &section.bars {
            table.row(row_of(section, bar));
        }
    }
    table
}

fn row_of(section: &Section, bar: &Bar) -> [String; 4] {
    let limit = match bar.limit {
        Limit::AtLeast(least) => format!("≥ {} {}", amount(least), bar.unit),
        Limit::AtMost(most) => format!("≤ {} {}", amount(most), bar.unit),
    };
    let verdict = if bar.is_met() { "met" } else { "**missed**" };
    [format!("{}: {}", section.name, bar.what), limit, bar.measured.to_string(), verdict.into()]
}

fn page(sections: &[Section], bars: &Table) -> String {
    let mut page = format!("# Brigade beside its peers\n\n{}\n\n{}\n", machine(), bars.markdown());
    for section in sections {
        let _ = writeln!(page, "## {}: {}\n", section.name, section.title);
        for plot in &section.plots {
            let _ = writeln!(page, "![{}]({plot})\n", section.title);
        }
        for table in &section.tables {
            let _ = writeln!(page, "{}", table.markdown());
        }
        for note in &section.notes {
            let _ = writeln!(page, "- {note}");
        }
        page.push('\n');
    }
    page
}

/// What the machine is, and how the run was made.
fn machine() -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output
            .map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into())
    };
    let first = |path: &str, key: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default().trim_matches([':', ' ', '\t']).to_owned()
    };
    format!(
        "{} processors ({}), {} of memory, {}, {}. {}Values are medians of rounds in turns, with the least \
         and the most in brackets; a ratio is taken within each round.",
        std::thread::available_parallelism().map_or(0, usize::from),
        first("/proc/cpuinfo", "model name"),
        first("/proc/meminfo", "MemTotal"),
        said("uname", &["-sr"]).trim(),
        said("rustc", &["--version"]).trim(),
        if quick() { "**The short form, which shows only that all works.** " } else { "" },
    )
}

/// One line for each value.
fn csv(sections: &[Section]) -> String {
    let mut text = "workload,what,who,unit,round,value\n".to_owned();
    let quoted = |word: &str| format!("\"{}\"", word.replace('"', "\"\""));
    for section in sections {
        for record in &section.records {
            for (round, value) in record.values.iter().enumerate() {
                let words = [&section.name, &record.what, &record.who, &record.unit];
                let words = words.map(|word| quoted(word)).join(",");
                let _ = writeln!(text, "{words},{},{value}", round + 1);
            }
        }
    }
    text
}
