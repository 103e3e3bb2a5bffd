from checks import FormatChecks


class TestFolders(FormatChecks):
    format = "folders"
