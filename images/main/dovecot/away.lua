-- Knows whom hold.lua is to be asked about: logins of an account that is away for a moment. Each has a file of its name, locked
-- until the account is back (images/main/operator/operator, "hold").
function auth_password_verify(request)
  -- no path, and no folder
  local file = request.user:find("^[%w_][^/]*$") and io.open("/run/dovecot/away/" .. request.user)
  if not file then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN
  end
  file:close()
  return dovecot.auth.PASSDB_RESULT_OK, { nopassword = "y" }
end
