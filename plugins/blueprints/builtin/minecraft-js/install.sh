# Installs flying-squid here, with every download in the log; keeps the owner's settings.json.
set -e
[ -e package.json ] || echo '{ "private": true }' > package.json
npm install --no-audit --no-fund --no-update-notifier --no-progress --omit=dev --ignore-scripts \
  --loglevel=http --cache .npm-cache "flying-squid@^1.12.0"
rm -rf .npm-cache

cat > server.js <<'END'
// Written by the blueprint at every install; settings.json is the place for changes.
const defaults = require('flying-squid/config/default-settings.json')
const settings = require('./settings.json')

process.on('unhandledRejection', (error) => console.log(error))
require('flying-squid').createMCServer({ ...defaults, worldFolder: undefined, ...settings })
END
[ -e settings.json ] || cat > settings.json <<'END'
{
  "motd": "",
  "online-mode": false,
  "version": "1.16.5",
  "logging": false,
  "generation": { "name": "superflat", "options": {} },
  "player-list-text": { "header": { "text": "" }, "footer": { "text": "" } }
}
END
echo "flying-squid is installed."
