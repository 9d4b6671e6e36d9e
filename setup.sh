#!/usr/bin/env bash
# Installs what `make build` (or `make test`) needs and is missing, and makes .venv.
#
#   ./setup.sh build    system libraries, fonts, .venv with the packages of constraints.txt
#   ./setup.sh test     that, and what the tests need: a browser, a Japanese font, the tools
#
# On Debian and Ubuntu system packages are installed (as root or through sudo); on other systems
# the command to run is printed. A stamp in .venv tells when there is nothing to do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

purpose=${1:-build}
case $purpose in
    build) extra= ;;
    test) extra='[dev]' ;;
    *) echo "usage: ./setup.sh [build|test]" >&2; exit 2 ;;
esac
log=build/setup.log

say() { echo "set-up: $*"; }
fail() { printf 'set-up: %s\n' "$1" >&2; shift; [ $# = 0 ] || printf '  %s\n' "$@" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Shows where a long command is: on a terminal one line that changes, else a line every 5 seconds.
follow() {
    local line next=0
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$log"
        case $line in
            'Setting up'* | Collecting* | Installing* | *'Building wheel for'*) ;;
            *) continue ;;
        esac
        if [ -t 1 ]; then
            printf '\r\033[K  %.76s' "$line"
        elif [ "$SECONDS" -ge "$next" ]; then
            printf '  %.100s\n' "$line"
            next=$((SECONDS + 5))
        fi
    done
    if [ -t 1 ]; then printf '\r\033[K'; fi
}

# --- Nothing to do? -------------------------------------------------------------------------
# The key holds all that decides what .venv contains; its folder too, as .venv cannot be moved.
sum() { if have sha256sum; then sha256sum; else shasum -a 256; fi; }
key=$(echo "$PWD ${PYTHON:-}" | cat - constraints.txt pyproject.toml setup.sh | sum)
stamp=.venv/.set-up-for-$purpose
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then exit 0; fi

# --- Python ---------------------------------------------------------------------------------
fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }
find_python() {
    local candidate
    python=
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if have "$candidate" && fits "$candidate"; then python=$candidate; return; fi
    done
}
find_python
if [ -z "$python" ] && [ -n "${PYTHON:-}" ]; then
    fail "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13."
fi
version=${python:+$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')}

# --- What is missing on the system ----------------------------------------------------------
python_headers='import os.path, sysconfig as s; open(os.path.join(s.get_path("include"), "Python.h"))'
font() { have fc-list && fc-list "$1" | grep -q .; }
has() {
    case $1 in
        python) [ -n "$python" ] ;;
        venv) [ -z "$python" ] || "$python" -c 'import ensurepip, venv' 2>/dev/null ;;
        headers) [ -z "$python" ] || "$python" -c "$python_headers" 2>/dev/null ;;
        compiler) have cc && have c++ ;;
        pango) have pkg-config && pkg-config --exists cairo pangocairo ;;
        mono) font 'JetBrains Mono' ;;
        inter) font 'Inter' ;;
        cjk) font ':lang=ja' ;;
        browser) have chromium || have chromium-browser || have google-chrome ;;
    esac
}
find_missing() {
    local thing
    missing=
    for thing in python venv headers compiler pango mono inter; do
        has "$thing" || missing+=" $thing"
    done
    [ "$purpose" = build ] || has cjk || missing+=" cjk"
    [ "$purpose" = build ] || [ "$system" != debian ] || has browser || missing+=" browser"
}

# --- Where it comes from --------------------------------------------------------------------
# What is missing; the packages of Debian and Ubuntu, Homebrew, Fedora, Arch; elsewhere, in words.
table='
python   | python3 python3-venv python3-dev | python@3.13 | python3.13 python3.13-devel | python | Python 3.11 to 3.13
venv     | pythonV-venv | python@3.13 | pythonV | python | the venv module of Python
headers  | pythonV-dev | python@3.13 | pythonV-devel | python | the headers of Python
compiler | build-essential | | gcc gcc-c++ | base-devel | a C compiler
pango    | libcairo2-dev libpango1.0-dev pkg-config | cairo pango pkgconf | cairo-devel pango-devel pkgconf-pkg-config | cairo pango pkgconf | pkg-config and the headers of cairo and pango
mono     | fonts-jetbrains-mono fontconfig | fontconfig font-jetbrains-mono | jetbrains-mono-fonts-all fontconfig | ttf-jetbrains-mono fontconfig | fontconfig and the font JetBrains Mono
inter    | fonts-inter fontconfig | fontconfig font-inter | rsms-inter-fonts fontconfig | inter-font fontconfig | fontconfig and the font Inter
cjk      | fonts-noto-cjk | font-noto-sans-cjk | google-noto-sans-cjk-fonts | noto-fonts-cjk | a Japanese font, such as Noto Sans CJK
browser  | chromium | | chromium | chromium | Chromium
'
packages() {  # of the missing things, one a line, from column $1 of the table
    local thing
    for thing in $missing; do
        echo "$table" | awk -F ' *[|] *' -v thing="$thing" -v column="$1" \
            '$1 == thing { print $column }' | sed "s/pythonV/python$version/"
    done
}
words() { packages "$1" | tr ' ' '\n' | awk 'NF && !seen[$0]++' | paste -s -d ' ' -; }
system=other
if have apt-get; then
    system=debian  # Ubuntu's chromium is a snap: there, as elsewhere, Playwright brings a browser
    if grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null; then system=ubuntu; fi
elif [ "$(uname)" = Darwin ]; then system=macos
elif have dnf; then system=fedora
elif have pacman; then system=arch
fi
install_command() {
    case $system in
        debian | ubuntu) echo "apt-get install --no-install-recommends -y $(words 2)" ;;
        macos) echo "brew install $(words 3)" ;;
        fedora) echo "sudo dnf install $(words 4)" ;;
        arch) echo "sudo pacman -S --needed $(words 5)" ;;
        other) packages 6 ;;
    esac
}

apt() { $sudo env DEBIAN_FRONTEND=noninteractive "$@" </dev/null 2>&1; }
install_system_packages() {
    local sudo='' command
    command=$(install_command)
    case $system in
        debian | ubuntu) ;;
        macos) fail 'run this, then make again:' 'xcode-select --install  # a C compiler' "$command" ;;
        other) fail 'install these with your package manager, then make again:' "$command" ;;
        *) fail 'run this, then make again:' "$command" ;;
    esac
    if [ "$(id -u)" != 0 ]; then
        have sudo || fail 'neither root nor sudo. As root, run this, then make again:' \
            'apt-get update' "$command"
        sudo=sudo
    fi
    say "${sudo:+sudo }$command"
    apt apt-get update -qq || say 'apt-get update failed; going on with the lists there are'
    # shellcheck disable=SC2086  # the command is words
    apt $command -qq -o Dpkg::Use-Pty=0 | follow ||
        fail "apt-get failed; all it said is in $log. As root, run this, then make again:" \
            'apt-get update' "$command"
    find_python
    version=${python:+$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')}
    find_missing
    if [ -n "$missing" ]; then
        fail "still missing after the installation:$missing. Look at what this says:" "$(install_command)"
    fi
}

# --- .venv ----------------------------------------------------------------------------------
make_venv() {
    local made_for
    made_for="$PWD $("$python" -c 'import sys; print(sys.version)' | tr '\n' ' ')"
    if [ "$(cat .venv/.made-for 2>/dev/null)" != "$made_for" ]; then
        say "$("$python" --version) makes .venv"
        "$python" -m venv --clear .venv
        echo "$made_for" >.venv/.made-for
    fi
    say "installing the packages of constraints.txt (torch and Manim take a minute or two)"
    .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off \
        --constraint constraints.txt --editable ".$extra" </dev/null 2>&1 | follow ||
        { tail -n 20 "$log" >&2; fail "pip failed; all it said is in $log"; }
}
install_browser() {
    say 'Playwright brings a browser for the tests'
    if [ "$system" = ubuntu ]; then
        .venv/bin/python -m playwright install --with-deps chromium </dev/null
    else
        .venv/bin/python -m playwright install chromium </dev/null
    fi
}

SECONDS=0
mkdir -p build
: >"$log"
find_missing
if [ -n "$missing" ]; then install_system_packages; fi
make_venv
if [ "$purpose" = test ] && ! has browser; then install_browser; fi
echo "$key" >"$stamp"
say "done in $SECONDS s"
