#!/usr/bin/env bash
# A docker engine for the tests, on a machine without systemd or registry, with an image made of what is here.
#   docker_for_tests.sh FOLDER start   starts dockerd with all its files below FOLDER and imports lar-sandbox:test
#   docker_for_tests.sh FOLDER stop    stops it and removes FOLDER
# The tests find it through LAR_TEST_DOCKER=unix://FOLDER/docker.sock. Neither the host's firewall nor its routing is touched.
set -euo pipefail
folder=$1
socket=unix://$folder/docker.sock

start() {
    mkdir -p "$folder"
    setsid dockerd --data-root "$folder/data" --exec-root "$folder/run" --pidfile "$folder/pid" -H "$socket" \
        --ip-forward=false --iptables=false --bridge=none >"$folder/log" 2>&1 </dev/null &
    engine=$!
    if ! { answers && imports && runs; }; then
        tail -n 20 "$folder/log" >&2
        stop
        exit 1
    fi
}

# Within half a minute, unless it dies before
answers() {
    for _ in $(seq 300); do
        docker -H "$socket" version >/dev/null 2>&1 && return
        kill -0 "$engine" 2>/dev/null || return
        sleep 0.1
    done
    return 1
}

imports() { image | docker -H "$socket" import -c 'ENV PATH=/usr/bin:/bin' - lar-sandbox:test >/dev/null; }

# An engine may start where no container does
runs() { docker -H "$socket" run --rm --network none lar-sandbox:test true >>"$folder/log" 2>&1; }

# busybox, and the machine's own python with the libraries it needs
image() {
    local root python version library
    root=$(mktemp -d)
    python=$(readlink -f /usr/bin/python3)
    version=$(basename "$python")
    mkdir -p "$root"/{bin,usr/bin,usr/lib,usr/lib64,lib64,tmp,work,etc,proc,dev,sys}
    cp "$(command -v busybox)" "$root/bin/busybox"
    for name in sh ls cat id dd sleep touch env yes head tail wc tr grep cut sort true; do ln -s busybox "$root/bin/$name"; done
    cp "$python" "$root/usr/bin/python3"
    tar -C / -c --exclude=dist-packages --exclude='*/test' --exclude=__pycache__ "usr/lib/$version" | tar -x -C "$root"
    { ldd "$python"; find "/usr/lib/$version/lib-dynload" -name '*.so' -exec ldd {} +; } |
        grep -oE '/[^ ]+\.so[^ ]*' | grep -v '^/usr/lib/python' | tr -d : | sort -u |
        while read -r library; do
            mkdir -p "$root$(dirname "$library")"
            cp -Ln "$library" "$root$library"
        done
    printf 'nobody:x:65534:65534::/work:/bin/sh\n' >"$root/etc/passwd"
    chmod 1777 "$root/tmp"
    tar -C "$root" -c .
    rm -rf "$root"
}

# Also when it never started
stop() {
    local pid mounted
    pid=${engine:-$(cat "$folder/pid" 2>/dev/null || true)}
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        while [ -e "/proc/$pid" ]; do sleep 0.1; done
    fi
    awk -v below="$folder/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
        while read -r mounted; do umount "$mounted"; done
    rm -rf "$folder"
}

"$2"
