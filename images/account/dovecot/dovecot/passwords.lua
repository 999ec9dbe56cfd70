-- The account's passwords: the main one, and those of single apps, by operator/app_passwords. main gives every login as "box".
-- main judges who guesses at its proxy. Who comes past it is judged here, by the same limits, but is only refused: that a wrong
-- answer takes two seconds is Dovecot's own doing. What is known lies in a file, because this process ends when nobody logs in.
local limits = dofile("/usr/lib/mailpod/guessing/limits.lua")
local digest = dofile("/usr/lib/mailpod/guessing/digest.lua")("/run/mailpod/guessing/salt")
local function read(line)
  local now, ip, known_by, outcome = line:match("^(%d+)\t(.*)\t(.*)\t([a-z]+)$")
  limits.begin(ip, ip, "box", "box", known_by, tonumber(now))
  limits.outcome(ip, "box", outcome == "right", tonumber(now))
end
local journal = dofile("/usr/lib/mailpod/guessing/journal.lua")("/run/mailpod/guessing/journal", read)

-- Where main's addresses are not known, everybody is taken for main. In a Swarm they change (filter/follow).
local function is_main(ip)
  local list = io.open("/run/mailpod/main")
  local main = list and list:read("l") or ""
  if list then
    list:close()
  end
  return main == "" or (" " .. main .. " "):find(" " .. ip .. " ", 1, true) ~= nil
end

local function is_main_password(request, password)
  local list = io.open("/run/mailpod/users")
  if not list then
    return false
  end
  local right = false
  for line in list:lines() do
    local login, hash = line:match("^([^:]+):([^:]+)$")
    if login == request.user then
      right = request:password_verify(hash, password) == 1
      break
    end
  end
  list:close()
  return right
end

local function is_app_password(request, password)
  local list = request.user == "box" and io.open("/run/mailpod/app_passwords")
  if not list then
    return false
  end
  local service = request.protocol == "smtp" and "submission" or "imap"
  local right = false
  for line in list:lines() do
    local name, scope, selector, hash = line:match("^(%S+)\t(%S+)\t%S+\t(%S+)\t%S+\t(%S+)$")
    if (scope == "all" or scope == service) and selector == password:match("^[^-]*")
        and request:password_verify("{ARGON2ID}" .. hash, password) == 1 then
      -- Emptied, so that its time is now. It is missing where the list is being changed.
      local used = io.open("/data/last_use/" .. name, "w")
      if used then
        used:close()
      end
      right = true
      break
    end
  end
  list:close()
  return right
end

-- App passwords first: what begins like none of them costs nothing there.
local function is_right(request, password)
  return is_app_password(request, password) or is_main_password(request, password)
end

function auth_password_verify(request, password)
  local ip, now = request.remote_ip, os.time()
  if is_main(ip) then
    return is_right(request, password) and dovecot.auth.PASSDB_RESULT_OK or dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH
  end
  journal.catch_up()
  local known_by = digest(request)
  local allowed, why = limits.judge(ip, "box", "box", known_by, now)
  if not allowed then
    request:log_warning("guessing: " .. limits.client(ip) .. " refused: " .. why)
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH
  end
  local right = is_right(request, password)
  journal.append(now, ip, known_by, right and "right" or "wrong")
  return right and dovecot.auth.PASSDB_RESULT_OK or dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH
end
