#!/bin/sh
# Installs the package Nano.Cli of a folder as the dotnet tool 'nano', or brings the installed one up to date, and says what keeps the shell from finding it.
# usage: .ci/install.sh FOLDER
set -eu

folder=$(cd "$1" && pwd)
tools=${DOTNET_CLI_HOME:-$HOME}/.dotnet/tools

# A version that is installed already would be kept although it has been built anew.
if dotnet tool list --global | grep -qi '^nano\.cli '; then
  dotnet tool uninstall --global Nano.Cli
fi
dotnet nuget locals global-packages --list | sed 's/^[^:]*: //' | while read -r cache; do rm -rf "${cache%/}/nano.cli"; done
dotnet tool install --global Nano.Cli --add-source "$folder"

case ":$PATH:" in
  *":$tools:"*) ;;
  *)
    echo
    echo "$tools is not on the PATH. For this shell:   export PATH=\"$tools:\$PATH\""
    echo "For every new shell, add that line to ~/.profile (or ~/.zprofile on macOS)."
    exit 0
    ;;
esac

found=$(command -v nano || true)
if [ "$found" != "$tools/nano" ]; then
  echo
  echo "'nano' is $found here, another program. Put the tools first:   export PATH=\"$tools:\$PATH\""
fi
