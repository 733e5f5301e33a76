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
    for _ in $(seq 300); do docker -H "$socket" version >/dev/null 2>&1 && break; sleep 0.1; done
    image | docker -H "$socket" import -c 'ENV PATH=/usr/bin:/bin' - lar-sandbox:test >/dev/null
}

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

stop() {
    local pid
    pid=$(cat "$folder/pid")
    kill "$pid"
    while [ -e "/proc/$pid" ]; do sleep 0.1; done
    rm -rf "$folder"
}

"$2"
