-- The proxy's auth process asks here after it has found the account, and before the account's own server is asked. The process
-- runs this once for each protocol: what they all know is in a journal, in which each notes the logins it lets through, and
-- Dovecot's event exporter what the account's server said to them.
local limits = dofile("/usr/lib/mailpod/guessing/limits.lua")
local digest = dofile("/usr/lib/mailpod/guessing/digest.lua")("/run/dovecot/guessing/salt")
local refusals = "/data/lib/refusals/guessing/"
-- by client and account, what has been told within a minute
local told = {}

local function connection(...)
  return table.concat({ ... }, " ")
end

local function read(line)
  local word, rest = line:match("^([a-z]+)\t(.*)$")
  if word == "begin" then
    local now, connected, ip, login, account, known_by = rest:match("^(%d+)\t(.*)\t(.*)\t(.*)\t(.*)\t(.*)$")
    limits.begin(connected, ip, login, account ~= "" and account or nil, known_by, tonumber(now))
  elseif word == "forgive" then
    limits.forgive(rest)
  else
    local is = {}
    for name, value in line:gmatch("field:([a-z_]+)=([^\t]*)") do
      is[name] = value
    end
    local success
    if line:find("event:proxy_session_established", 1, true) then
      success = true
    elseif is.error_code == "proxy_dest_auth_failed" then
      success = false
    end
    local now = tonumber(line:match("end_time:(%d+)"))
    limits.outcome(connection(is.remote_ip, is.remote_port, is.local_port), is.user, success, now)
  end
end

local journal = dofile("/usr/lib/mailpod/guessing/journal.lua")("/run/dovecot/guessing/journal", read)

-- Adds a line to a file that keeps the last hundred or two.
local function note(path, line)
  local file = io.open(path, "a+")
  if not file then
    return
  end
  file:write(line, "\n")
  file:seek("set", 0)
  local lines = {}
  for each in file:lines() do
    lines[#lines + 1] = each
  end
  file:close()
  if #lines > 200 then
    file = io.open(path, "w")
    file:write(table.concat(lines, "\n", #lines - 99), "\n")
    file:close()
  end
end

-- Says that logins are refused or slowed, once a minute for each address and account.
local function tell(request, account, what, now)
  local address = limits.client(request.remote_ip)
  local key, minute = address .. " " .. (account or "") .. what:match("%a+"), now // 60
  if told.minute ~= minute then
    told = { minute = minute }
  end
  if told[key] then
    return
  end
  told[key] = true
  local detail = ("%s from %s %s"):format(request.protocol, address, what)
  request:log_warning(("guessing at %s: %s"):format(account or "no account", detail))
  if account then
    note(refusals .. account, ("%d guessing %s"):format(now, detail))
  end
end

function auth_password_verify(request, password)
  local now, ip = os.time(), request.remote_ip
  -- The webmail is on loopback. It logs in to IMAP first, and gives the browser's address there.
  if ip == "127.0.0.1" or ip == "::1" or request.passdb.nologin then
    return dovecot.auth.PASSDB_RESULT_OK, { nopassword = "y" }
  end
  journal.catch_up()
  local login = request.user:gsub("[^%w@._-]", "?")
  local account = (request.passdb.host or ""):match("^[^.]+")
  local known_by = digest(request)
  local delay, why = limits.judge(ip, login, account, known_by, now)
  if not delay then
    tell(request, account, "refused: " .. why, now)
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH
  end
  local connected = connection(request.real_remote_ip, request.real_remote_port, request.real_local_port)
  journal.append("begin", now, connected, ip, login, account or "", known_by)
  if not account then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN
  elseif delay > 0 then
    tell(request, account, ("slowed: waits %d s"):format(delay), now)
  end
  return dovecot.auth.PASSDB_RESULT_OK, { nopassword = "y", delay_until = now + delay // 1 }
end
