//! How people write that nothing is to be restarted, in whatever spelling.

/// `dry_run`, as [`normalized`] makes it.
const DRY_RUN: &str = "dryrun";

/// Other words for `dry_run`, without what [`normalized`] leaves out.
const WORDS: [&str; 8] =
    ["donotrestart", "dontrestart", "drymode", "dryrestart", "noop", "norestart", "rundry", "skiprestart"];

/// Words for it from tools that people know. In the body of an alert they may mean something else.
const WORDS_IN_URL: [&str; 9] =
    ["checkonly", "pretend", "preview", "simulate", "simulated", "simulation", "testrun", "validateonly", "whatif"];

/// Names that ask for nothing if their value is no: `restart=false`.
const RESTART: [&str; 3] = ["restart", "restarts", "dorestart"];

/// No name of these has more letters.
const LONGEST_NAME: usize = 30;

/// Whether a name and its value ask for nothing to be restarted: `dryRun=1`, `restart=off`.
pub(crate) fn is_asked_for(name: &str, value: &str) -> bool {
    if name.len() > LONGEST_NAME || !may_ask(name) {
        return false;
    }
    let name = normalized(name);
    if is_no(value) { RESTART.contains(&&*name) } else { is_name(&name) }
}

/// Whether a name may be one of these. Each field of each alert is asked, so this takes no memory.
fn may_ask(name: &str) -> bool {
    let ends_with = |end: &str| {
        let start = name.len().saturating_sub(end.len());
        name.get(start..).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    name.contains(['y', 'Y']) || ["restart", "restarts", "op"].into_iter().any(ends_with)
}

/// Whether a text says so somewhere, `a=1;dry_run=true`. Texts with spaces or quotation marks are left alone: they are log
/// lines and JSON.
pub(crate) fn is_asked_for_within(text: &str) -> bool {
    let parts = || text.split([';', '&', '|']).filter_map(|part| part.split_once(['=', ':']));
    text.contains(['=', ':']) && !text.contains([' ', '"']) && parts().any(|(name, value)| is_asked_for(name, value))
}

/// Whether a normalized name of a parameter is meant to be `dry_run`. To refuse a sender's own parameter that looks like it
/// is better than to restart dynos for a person who wrote not to.
pub(crate) fn is_name_in_url(name: &str) -> bool {
    is_name(name) || WORDS_IN_URL.contains(&name)
}

fn is_name(name: &str) -> bool {
    let may_be_misspelt = name.len().abs_diff(DRY_RUN.len()) <= 1;
    name.contains(DRY_RUN) || WORDS.contains(&name) || may_be_misspelt && strsim::osa_distance(name, DRY_RUN) <= 1
}

/// A name without what people confuse: `dryRun` and `dry-run` are both meant to be `dry_run`.
pub(crate) fn normalized(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a value is a no.
fn is_no(value: &str) -> bool {
    ["false", "no", "0", "off", "never", "none"].iter().any(|no| value.trim().eq_ignore_ascii_case(no))
}
