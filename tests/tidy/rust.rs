//! Rust's tokens and paths, as far as a test of the layers needs them.

/// The top-level modules that paths lead to: `crate::x`, `aci_operator::x`, `super::…::x`, and each
/// branch of a group behind them. A glob over the root names everything: reported as `*`.
pub(crate) fn rooms_named(module: &[String], tokens: &[String]) -> Vec<String> {
    let mut named = Vec::new();
    let mut inline: Vec<usize> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "mod" if tokens.get(at + 2).is_some_and(|t| t == "{") => inline.push(depth),
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
            }
            "crate" | "aci_operator" if starts_path(tokens, at) => {
                root_branches(tokens, at + 1, &mut named);
            }
            "super" if starts_path(tokens, at) => {
                let (supers, next) = count_supers(tokens, at);
                if supers == module.len() + inline.len() {
                    root_branches(tokens, next, &mut named);
                }
                at = next - 1;
            }
            _ => {}
        }
        at += 1;
    }
    named
}

fn starts_path(tokens: &[String], at: usize) -> bool {
    let inside = at > 0 && tokens[at - 1] == "::";
    !inside && tokens.get(at + 1).is_some_and(|t| t == "::")
}

/// How many `super` follow one another, and where the `::` behind the last stands.
fn count_supers(tokens: &[String], mut at: usize) -> (usize, usize) {
    let mut supers = 0;
    while tokens.get(at).is_some_and(|t| t == "super") {
        supers += 1;
        at += if tokens.get(at + 1).is_some_and(|t| t == "::") { 2 } else { 1 };
    }
    (supers, if tokens.get(at - 1).is_some_and(|t| t == "::") { at - 1 } else { at })
}

/// The first segments of the use tree behind the `::` at `at`.
fn root_branches(tokens: &[String], at: usize, named: &mut Vec<String>) {
    if tokens.get(at).is_none_or(|t| t != "::") {
        return;
    }
    if tokens.get(at + 1).is_none_or(|t| t != "{") {
        named.extend(tokens.get(at + 1).cloned());
        return;
    }
    let mut depth = 0;
    for pair in tokens[at + 1..].windows(2) {
        match pair[0].as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
        let opens = depth == 1 && (pair[0] == "{" || pair[0] == ",");
        if opens && pair[1] != "}" && pair[1] != "self" {
            named.push(pair[1].clone());
        }
    }
}

/// Words, `::` and single signs; no comment, no literal, no white space.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (end, kept) = token_end(&text, at);
        if kept {
            tokens
                .push(text[at..end].iter().collect::<String>().trim_start_matches("r#").to_owned());
        }
        at = end;
    }
    tokens
}

/// Where the piece that starts at `at` ends, and whether it is a token.
fn token_end(text: &[char], at: usize) -> (usize, bool) {
    let ahead = |n: usize| text.get(at + n).copied().unwrap_or('\0');
    match (text[at], ahead(1)) {
        (c, _) if c.is_whitespace() => (at + 1, false),
        ('/', '/') => (find(text, at, |c| c == '\n'), false),
        ('/', '*') => (block_comment_end(text, at), false),
        (':', ':') => (at + 2, true),
        ('"', _) => (string_end(text, at + 1), false),
        ('b' | 'c', '"') => (string_end(text, at + 2), false),
        ('r', '"' | '#') if raw_hashes(text, at + 1).is_some() => (raw_end(text, at + 1), false),
        ('b' | 'c', 'r') if raw_hashes(text, at + 2).is_some() => (raw_end(text, at + 2), false),
        ('\'', _) => (quote_end(text, at), false),
        (c, _) if is_word_char(c) => {
            let from = if c == 'r' && ahead(1) == '#' { at + 2 } else { at };
            (find(text, from, |c| !is_word_char(c)), true)
        }
        _ => (at + 1, true),
    }
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub(crate) fn is_word(token: &str) -> bool {
    token.starts_with(is_word_char)
}

fn find(text: &[char], from: usize, stop: impl Fn(char) -> bool) -> usize {
    (from..text.len()).find(|&at| stop(text[at])).unwrap_or(text.len())
}

/// Block comments nest.
fn block_comment_end(text: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 1),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_end(text: &[char], mut at: usize) -> usize {
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The number of `#` before a raw string's quote; none where no raw string starts.
fn raw_hashes(text: &[char], at: usize) -> Option<usize> {
    let quote = find(text, at, |c| c != '#');
    (text.get(quote) == Some(&'"')).then_some(quote - at)
}

fn raw_end(text: &[char], at: usize) -> usize {
    let hashes = raw_hashes(text, at).unwrap_or_default();
    let closes = |from: usize| {
        text[from] == '"'
            && text.iter().skip(from + 1).take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (at + hashes + 1..text.len()).find(|&from| closes(from)).map_or(text.len(), |q| q + 1 + hashes)
}

/// A character literal, or the sign before a lifetime's name.
fn quote_end(text: &[char], at: usize) -> usize {
    match (text.get(at + 1), text.get(at + 2)) {
        (Some('\\'), _) => find(text, at + 3, |c| c == '\'') + 1,
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}

/// Leaves out each item under `#[cfg(test)]`: up to its `;` or the end of its braces.
pub(crate) fn without_tests(tokens: &[String]) -> Vec<String> {
    let marker = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].iter().take(marker.len()).eq(marker.iter()) {
            at = item_end(tokens, at + marker.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

fn item_end(tokens: &[String], from: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(token.as_str(), "}" | ";") {
            return at + 1;
        }
    }
    tokens.len()
}
