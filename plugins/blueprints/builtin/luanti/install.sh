# Makes the world's folder, with a mod that gives the administrator an account: without one, the console may only look.
set -e
mod=world/worldmods/stellar_admin
mkdir -p "$mod"
cat > "$mod/mod.conf" <<'END'
name = stellar_admin
description = Gives the administrator an account, so that the console may do everything.
END
cat > "$mod/init.lua" <<'END'
local function random_password()
	local bytes = SecureRandom():next_bytes(24)
	return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

minetest.after(0, function()
	local name = minetest.settings:get("name")
	local password = os.getenv("ADMIN_PASSWORD") or ""
	local accounts = minetest.get_auth_handler()
	if not name then
		return
	end
	if not accounts.get_auth(name) then
		accounts.create_auth(name, minetest.get_password_hash(name, random_password()))
	end
	if password ~= "" then
		minetest.set_player_password(name, minetest.get_password_hash(name, password))
	end
end)
END
[ -e minetest.conf ] || : > minetest.conf
echo "The world's folder is ready."
