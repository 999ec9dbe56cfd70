from tests.fakes.system import system

__all__ = ["system"]
