"""Why somebody on the web does not answer, for people."""


def innermost(error: Exception) -> str:
    """The innermost cause, without the addresses of objects that the libraries print."""
    cause: BaseException = error
    while inner := cause.__cause__ or cause.__context__:
        cause = inner
    return getattr(cause, "strerror", None) or str(cause).rpartition(": ")[2] or type(cause).__name__
