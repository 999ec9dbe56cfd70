-- The proxy's auth process asks here before each login. What the account's own server says to it, Dovecot's event exporter
-- writes into a file.
local limits = dofile("/usr/lib/mailpod/dovecot/limits.lua")
local outcomes = "/run/dovecot/guessing/outcomes"
local refusals = "/data/lib/refusals/"

local file
-- by client and account, the minute of the last line
local told = {}

local function connection(...)
  return table.concat({ ... }, " ")
end

-- Takes note of what has become of earlier logins.
local function hear(now)
  file = file or io.open(outcomes, "r")
  if not file then
    return
  end
  -- Where it ended the last time.
  local position = file:seek("cur", 0)
  for line in file:lines("L") do
    if line:sub(-1) ~= "\n" then
      break
    end
    position = position + #line
    local is = {}
    for name, value in line:gmatch("\tfield:([a-z_]+)=([^\t\n]*)") do
      is[name] = value
    end
    local success
    if line:find("^event:proxy_session_established") then
      success = true
    elseif is.error_code == "proxy_dest_auth_failed" then
      success = false
    end
    limits.outcome(connection(is.remote_ip, is.remote_port, is.local_port), is.user, success, now)
  end
  if position > 100000 then
    -- The exporter appends.
    io.open(outcomes, "w"):close()
    position = 0
  end
  file:seek("set", position)
end

-- Writes down that a login was refused or slowed, once a minute for each address and account.
local function tell(request, account, what, now)
  local address = limits.client(request.remote_ip)
  local key, minute = address .. " " .. (account or ""), now // 60
  if told.minute ~= minute then
    told = { minute = minute }
  end
  if told[key] then
    return
  end
  told[key] = true
  local detail = ("%s from %s %s"):format(request.protocol, address, what)
  request:log_warning(("guessing %s: %s"):format(account or "at no account", detail))
  local list = account and io.open(refusals .. account, "a")
  if list then
    list:write(("%d guessing %s\n"):format(now, detail))
    list:close()
  end
end

function auth_password_verify(request, password)
  local now = os.time()
  hear(now)
  local ip, account = request.remote_ip, (request.passdb.host or ""):match("^[^.]+")
  -- The webmail comes from loopback. It gives the browser's address when it logs in to IMAP, which it does first.
  if ip == "127.0.0.1" or ip == "::1" or request.passdb.nologin then
    return dovecot.auth.PASSDB_RESULT_OK, { nopassword = "y" }
  end
  local digest = request:var_expand("%{password | sha256 | hexlify}")
  local delay, why = limits.begin(
    connection(request.real_remote_ip, request.real_remote_port, request.real_local_port),
    ip, request.user, account, digest, now
  )
  if not delay then
    tell(request, account, "refused: " .. why, now)
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH
  elseif not account then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN
  elseif delay > 0 then
    tell(request, account, ("slowed: waits %d s"):format(delay), now)
  end
  return dovecot.auth.PASSDB_RESULT_OK, { nopassword = "y", delay_until = now + delay // 1 }
end
