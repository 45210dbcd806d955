//! The picture of docs/opensearch.md#the-dashboards: two panels of the overview, drawn from what
//! OpenSearch answers to their requests. `WEIR_WRITE_PICTURE=1` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::documents::{DEMO, loaded};
use super::expected::{Row, answered};
use super::objects::{find, ours};
use super::request;
use crate::support::repository;

const PATH: &str = "docs/pictures/overview.svg";
const WIDTH: f64 = 820.0;
/// Where the bars begin: left of it stand the names of values.
const LEFT: f64 = 90.0;
/// Where they end: right of it stands the legend.
const RIGHT: f64 = 570.0;
/// Of Warnings, then of whatever else.
const COLORS: [&str; 16] = [
    "#e7664c", "#54b399", "#6092c0", "#9170b8", "#d36086", "#d6bf57", "#b9a888", "#da8b45",
    "#aa6556", "#ca8eae", "#3185a7", "#98a2b3", "#7b9e3f", "#c66bd0", "#4a6fe3", "#8c564b",
];

#[tokio::test]
async fn the_picture_in_the_docs_is_what_opensearch_answers() {
    let objects = ours();
    let pattern = find(&objects, "weir-events");
    let mut panels = Vec::new();
    for id in ["weir-events-over-time", "weir-warnings-by-namespace"] {
        let object = find(&objects, id);
        let answer = loaded().ask(request::body(object, pattern, DEMO)).await;
        panels.push((object.title.clone(), answered(object, &answer)));
    }
    let drawn = draw(&panels);
    let path = repository().join(PATH);
    if std::env::var_os("WEIR_WRITE_PICTURE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &drawn).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == drawn, "run it with WEIR_WRITE_PICTURE=1: {PATH} is not what is answered");
}

/// Both panels in one picture.
fn draw(panels: &[(String, Vec<Row>)]) -> String {
    let [(over_time, bars), (by_namespace, rows)] = panels else { panic!("two panels") };
    let mut svg = String::new();
    panel(&mut svg, over_time, 0.0, 185.0);
    upright(&mut svg, bars);
    panel(&mut svg, by_namespace, 195.0, 260.0);
    lying(&mut svg, rows);
    text(
        &mut svg,
        [10.0, 477.0],
        "#69707d",
        "Not a screenshot: drawn from what OpenSearch answered to these panels' requests, over the \
         events of config/demo-events.jsonl.",
    );
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} 485\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"485\" fill=\"#fff\"/>\n{svg}</svg>\n"
    )
}

fn panel(svg: &mut String, title: &str, top: f64, height: f64) {
    let width = WIDTH - 10.0;
    writeln!(
        svg,
        "<rect x=\"5\" y=\"{}\" width=\"{width}\" height=\"{height}\" fill=\"none\" stroke=\"#d3dae6\"/>",
        top + 5.0
    )
    .unwrap();
    let y = top + 22.0;
    writeln!(svg, "<text x=\"15\" y=\"{y}\" font-weight=\"bold\" fill=\"#343741\">{title}</text>")
        .unwrap();
}

fn text(svg: &mut String, [x, y]: [f64; 2], color: &str, of: &str) {
    writeln!(svg, "<text x=\"{x:.0}\" y=\"{y:.0}\" fill=\"{color}\">{of}</text>").unwrap();
}

fn rect(svg: &mut String, [x, y, width, height]: [f64; 4], color: &str, of: &str) {
    writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
         fill=\"{color}\"><title>{of}</title></rect>"
    )
    .unwrap();
}

/// The values of one part of the rows, each once, in the order of the answer.
fn values(rows: &[Row], part: usize) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let values = rows.iter().map(|(values, _)| values[part].as_str());
    values.filter(|value| seen.insert(*value)).collect()
}

fn legend(svg: &mut String, names: &[&str], top: f64) {
    for (index, name) in names.iter().enumerate() {
        let y = top + 16.0 * index as f64;
        rect(svg, [RIGHT + 15.0, y, 10.0, 10.0], COLORS[index % COLORS.len()], name);
        text(svg, [RIGHT + 30.0, y + 9.0], "#343741", name);
    }
}

/// Rows of a value and a time, as bars over the time.
fn upright(svg: &mut String, rows: &[Row]) {
    let names = values(rows, 0);
    let mut times: Vec<u64> = rows.iter().map(|(values, _)| values[1].parse().unwrap()).collect();
    times.sort_unstable();
    times.dedup();
    let of = |name: &str, time: u64| {
        let row = rows.iter().find(|(v, _)| v[0] == name && v[1] == time.to_string());
        row.and_then(|(_, numbers)| numbers[0]).unwrap_or_default()
    };
    let sum = |time: u64| names.iter().map(|name| of(name, time)).sum::<f64>();
    let highest = times.iter().map(|time| sum(*time)).fold(1.0, f64::max);
    let first = times[0];
    let slots = ((times[times.len() - 1] - first) / request::width(DEMO) + 1) as f64;
    let slot = (RIGHT - LEFT) / slots;
    for time in times {
        let x = LEFT + slot * ((time - first) / request::width(DEMO)) as f64;
        let mut y = 160.0;
        for (index, name) in names.iter().enumerate() {
            let number = of(name, time);
            let height = 125.0 * number / highest;
            y -= height;
            rect(
                svg,
                [x + 1.0, y, slot - 2.0, height],
                COLORS[index],
                &format!("{name}: {number}"),
            );
        }
        let clock = jiff::Timestamp::from_millisecond(time as i64).unwrap();
        if ((time - first) / request::width(DEMO)).is_multiple_of(3) {
            text(svg, [x, 175.0], "#69707d", &clock.strftime("%H:%M:%S").to_string());
        }
    }
    text(svg, [15.0, 40.0], "#69707d", &format!("Events: {highest}"));
    legend(svg, &names, 35.0);
}

/// The rows of a value.
fn of<'a>(rows: &'a [Row], name: &'a str) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |(values, _)| values[0] == name)
}

/// Rows of a value and another, as a bar for each of the first ones.
fn lying(svg: &mut String, rows: &[Row]) {
    let (names, parts) = (values(rows, 0), values(rows, 1));
    let sum = |name: &str| of(rows, name).filter_map(|(_, numbers)| numbers[0]).sum::<f64>();
    let widest = names.iter().map(|name| sum(name)).fold(1.0, f64::max);
    let height = 215.0 / names.len() as f64;
    for (index, name) in names.iter().enumerate() {
        let (mut x, y) = (LEFT, 232.0 + height * index as f64);
        text(svg, [15.0, y + height / 2.0], "#343741", name);
        for (values, numbers) in of(rows, name) {
            let number = numbers[0].unwrap_or_default();
            let width = (RIGHT - LEFT) * number / widest;
            let part = parts.iter().position(|part| *part == values[1]).unwrap();
            let color = COLORS[part % COLORS.len()];
            rect(svg, [x, y, width, height - 6.0], color, &format!("{}: {number}", values[1]));
            x += width;
        }
    }
    legend(svg, &parts, 207.0);
}
