-- App passwords, by operator/app_passwords. main gives every login as "box".
function auth_password_verify(request, password)
  local list = request.user == "box" and io.open("/run/mailpod/app_passwords")
  if not list then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN
  end
  local service = request.protocol == "smtp" and "submission" or "imap"
  for line in list:lines() do
    local name, scope, selector, hash = line:match("^(%S+)\t(%S+)\t%S+\t(%S+)\t%S+\t(%S+)$")
    if (scope == "all" or scope == service) and selector == password:match("^[^-]*")
        and request:password_verify("{ARGON2ID}" .. hash, password) == 1 then
      -- Emptied, so that its time is now. It is missing where the list is being changed.
      local used = io.open("/data/last_use/" .. name, "w")
      if used then
        used:close()
      end
      list:close()
      return dovecot.auth.PASSDB_RESULT_OK, {}
    end
  end
  list:close()
  return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH
end
