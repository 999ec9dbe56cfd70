-- Keeps a login until its account is back, in a process of its own (auth-worker), for less long than mail clients wait. Only
-- afterwards it is looked up where the account is.
function auth_password_verify(request)
  -- The shell is given nothing that it might take for something else.
  if not request.user:find("[^a-z0-9@._-]") then
    os.execute("exec flock --shared --timeout 20 0 < /run/dovecot/away/" .. request.user)
  end
  return dovecot.auth.PASSDB_RESULT_OK, { nopassword = "y" }
end
