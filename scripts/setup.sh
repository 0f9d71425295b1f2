#!/bin/sh
# Installs what Systole needs on Debian 12. The only script that installs anything; quick when everything is there.
#   scripts/setup.sh [--dev] [--python] [--torch]
#     --dev      also clang with its sanitizer libraries, clang-format
#     --python   also .venv with the packages of scripts/requirements.txt (references and plots; never needed to simulate)
#     --torch    also PyTorch in .venv (gigabytes), for scripts/reference/check_float.py
set -eu
cd "$(dirname "$0")/.."

packages="g++ cmake ninja-build ccache pkg-config
  libsystemc-dev libboost-dev libboost-program-options-dev libspdlog-dev libfmt-dev libyaml-cpp-dev nlohmann-json3-dev
  zlib1g-dev libgtest-dev libgmock-dev libbenchmark-dev"
python=no
torch=no
for argument in "$@"; do
  case "$argument" in
    --dev) packages="$packages clang libclang-rt-14-dev clang-format" ;;
    --python) packages="$packages python3 python3-venv" python=yes ;;
    --torch) packages="$packages python3 python3-venv" python=yes torch=yes ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "setup.sh: unknown argument '$argument' (known: --dev, --python, --torch)" >&2; exit 2 ;;
  esac
done

missing=""
for package in $packages; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done

if [ -z "$missing" ]; then
  echo "setup: all Debian packages are installed"
else
  command -v apt-get >/dev/null || { echo "setup.sh: no apt-get here; install by hand:$missing" >&2; exit 1; }
  as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup.sh: neither root nor sudo; ask for:$missing" >&2; exit 1; }
    as_root="sudo"
  fi
  echo "setup: installing$missing"
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  # shellcheck disable=SC2086  # a list of words
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

if [ "$python" = yes ]; then
  [ -x .venv/bin/python ] || python3 -m venv .venv
  if cmp -s scripts/requirements.txt .venv/installed-requirements.txt; then
    echo "setup: .venv is up to date"
  else
    echo "setup: installing scripts/requirements.txt into .venv"
    .venv/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements.txt
    cp scripts/requirements.txt .venv/installed-requirements.txt
  fi
fi

if [ "$torch" = yes ] && ! .venv/bin/python -c 'import torch' 2>/dev/null; then
  echo "setup: installing PyTorch into .venv"
  .venv/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements-torch.txt
fi
