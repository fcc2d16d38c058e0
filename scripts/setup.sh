# Shared by ./run and ./test: installs what is missing. Sourced, not run.
# Needs Debian 12 and the Swift toolchain; asks for nothing that is there already.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH="/opt/swift/usr/bin:$PATH"

say() { case "${TONGQU_LANG:-${LC_ALL:-${LANG:-zh}}}" in en*|C*|POSIX*) printf '%s\n' "$2" ;; *) printf '%s\n' "$1" ;; esac >&2; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Debian packages that are not installed yet.
install_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    say "正在安装:${missing[*]}" "Installing: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

build_packages="pkg-config libsqlite3-dev libpcre2-dev libssl-dev zlib1g-dev libzip-dev libexpat1-dev libgeos-dev liblz4-dev libzstd-dev libpq-dev unixodbc-dev libssh2-1-dev libqrencode-dev python3 python3-venv libjs-chart.js unzip"

# A Python environment of the project's own, for the packages that carry scripts and test clients.
python_environment() {
    [ -x "$root/.cache/venv/bin/python" ] || python3 -m venv "$root/.cache/venv"
    local missing=() name
    for name in "$@"; do
        "$root/.cache/venv/bin/python" -m pip show -q "${name%%=*}" >/dev/null 2>&1 || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] || "$root/.cache/venv/bin/python" -m pip install -q --disable-pip-version-check "${missing[@]}"
}

# Third-party scripts for the pages: MapLibre GL JS from a Python wheel, Chart.js from Debian.
install_vendor() {
    local target="$root/public/vendor"
    [ -s "$target/maplibre-gl.js" ] && [ -s "$target/chart.js" ] && return 0
    mkdir -p "$target"
    mkdir -p "$root/.cache/wheels"
    [ -x "$root/.cache/venv/bin/python" ] || python3 -m venv "$root/.cache/venv"
    "$root/.cache/venv/bin/python" -m pip download -q --disable-pip-version-check --no-deps -d "$root/.cache/wheels" maplibre==0.3.6
    unzip -qo -j "$root/.cache/wheels"/maplibre-0.3.6-*.whl 'maplibre/srcjs/maplibre-gl.js' 'maplibre/srcjs/maplibre-gl.css' -d "$target"
    cp /usr/share/javascript/chart.js/chart.min.js "$target/chart.js"
}

# One release build serves the node, the tests and the benchmarks.
build() {
    say "正在构建(首次约 5–8 分钟,之后几秒)……" "Building (5–8 minutes the first time, seconds later)…"
    local started=$SECONDS
    (cd "$root" && swift build -c release -Xswiftc -enable-testing "$@") >&2
    say "构建完成,用时 $((SECONDS - started)) 秒。" "Built in $((SECONDS - started)) s."
}
