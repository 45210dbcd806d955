//! What the benches of whole processes share: made events, and what a process costs.

// Each bench uses its part.
#![allow(dead_code)]

pub(crate) mod borrowed;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// User and system time of all children that were waited for, from `/proc/self/stat` (proc(5):
/// fields 16 and 17, in ticks of 10 ms).
pub(crate) fn cpu_of_children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux has /proc/self/stat");
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: u64 =
        after_name.split(' ').skip(13).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Peak resident memory of a running process, in KiB.
pub(crate) fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Writes the events, and answers how many bytes that is.
pub(crate) fn write_events(path: &Path, count: usize) -> usize {
    let mut file =
        std::io::BufWriter::new(fs::File::create(path).expect("the events can be written"));
    let mut line = String::new();
    let mut bytes = 0;
    for number in 0..count {
        line.clear();
        write_event(&mut line, number);
        bytes += line.len();
        file.write_all(line.as_bytes()).expect("the events can be written");
    }
    file.flush().expect("the events can be written");
    bytes
}

/// What a Deployment's Pods go through; every fourth is a Warning, every eighth of those wants a
/// GPU.
fn write_event(line: &mut String, number: usize) {
    let (event_type, reason, message, component) = match number % 32 {
        3 => (
            "Warning",
            "FailedScheduling",
            "0/12 nodes are available: 12 Insufficient nvidia.com/gpu. preemption: 0/12 nodes are available: \
             12 No preemption victims found for incoming pod.",
            "default-scheduler",
        ),
        n if n % 4 == 3 => (
            "Warning",
            "BackOff",
            "Back-off restarting failed container app in pod checkout-7d9c5b5f6c-abcde_shop(0f3c): CrashLoopBackOff",
            "kubelet",
        ),
        n if n % 4 == 0 => (
            "Normal",
            "Pulled",
            "Container image \\\"registry.example/shop/checkout:1.14.2\\\" already present on machine",
            "kubelet",
        ),
        n if n % 4 == 1 => ("Normal", "Created", "Created container: app", "kubelet"),
        _ => ("Normal", "Started", "Started container app", "kubelet"),
    };
    let (pod, version, second) = (number % 5000, 100_000 + number, number % 60);
    let _ = writeln!(
        line,
        "{{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"checkout-7d9c5b5f6c-{pod:05}.17f1c7a2{number:08x}\",\
         \"namespace\":\"shop\",\"uid\":\"5f0d7c1e-7a6b-4f6e-9d3a-{number:012x}\",\"resourceVersion\":\"{version}\",\
         \"creationTimestamp\":\"2026-03-01T10:20:{second:02}Z\",\"managedFields\":[{{\"manager\":\"{component}\",\
         \"operation\":\"Update\",\"apiVersion\":\"v1\",\"time\":\"2026-03-01T10:20:{second:02}Z\",\"fieldsType\":\"FieldsV1\",\
         \"fieldsV1\":{{\"f:count\":{{}},\"f:firstTimestamp\":{{}},\"f:involvedObject\":{{}},\"f:lastTimestamp\":{{}},\
         \"f:message\":{{}},\"f:reason\":{{}},\"f:reportingComponent\":{{}},\"f:reportingInstance\":{{}},\
         \"f:source\":{{\"f:component\":{{}},\"f:host\":{{}}}},\"f:type\":{{}}}}}}]}},\"involvedObject\":{{\"kind\":\"Pod\",\
         \"namespace\":\"shop\",\"name\":\"checkout-7d9c5b5f6c-{pod:05}\",\"uid\":\"9b2f8f4e-1c1d-4f6e-8a3a-{pod:012x}\",\
         \"apiVersion\":\"v1\",\"resourceVersion\":\"{version}\",\"fieldPath\":\"spec.containers{{app}}\"}},\
         \"reason\":\"{reason}\",\"message\":\"{message}\",\"source\":{{\"component\":\"{component}\",\"host\":\"node-a-17\"}},\
         \"firstTimestamp\":\"2026-03-01T10:20:{second:02}Z\",\"lastTimestamp\":\"2026-03-01T10:20:{second:02}Z\",\"count\":1,\
         \"type\":\"{event_type}\",\"eventTime\":null,\"reportingComponent\":\"{component}\",\"reportingInstance\":\"node-a-17\"}}"
    );
}
