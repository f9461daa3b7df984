using System.Text.RegularExpressions;

namespace Nano;

/// <summary>
/// The name of a model on the Hugging Face hub, with its revision, as `nano pull` takes it.
/// </summary>
/// <param name="Id">"owner/model", or "model" for the few that have no owner.</param>
/// <param name="Revision">A branch, tag or commit.</param>
public sealed partial record HubModelName(string Id, string Revision)
{
    /// <summary>Reads "owner/model" or "owner/model@revision"; the revision is main if not given.</summary>
    /// <exception cref="NanoException">It is neither.</exception>
    public static HubModelName Parse(string text)
    {
        int at = text.IndexOf('@', StringComparison.Ordinal);
        var name = new HubModelName(at < 0 ? text : text[..at], at < 0 ? "main" : text[(at + 1)..]);
        if (!IdForm().IsMatch(name.Id) || !RevisionForm().IsMatch(name.Revision)
            || text.Contains("..", StringComparison.Ordinal) || text.Length > 200)
            throw new NanoException($"{Quoted.Of(text)} is not the name of a model on the hub",
                "a name is OWNER/MODEL or OWNER/MODEL@REVISION, such as HuggingFaceTB/SmolLM2-135M@main");
        return name;
    }

    /// <summary>
    /// True if a text has the form OWNER/MODEL or OWNER/MODEL@REVISION; the few models without an
    /// owner look like any other word.
    /// </summary>
    public static bool IsWithOwner(string text) =>
        text.Length <= 200 && !text.Contains("..", StringComparison.Ordinal) && WithOwnerForm().IsMatch(text);

    /// <summary>The folder of the model in a data folder.</summary>
    public string FolderIn(string data) => Path.Combine([data, "models", .. Id.Split('/')]);

    /// <inheritdoc/>
    public override string ToString() => Revision == "main" ? Id : $"{Id}@{Revision}";

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)?\z")]
    private static partial Regex IdForm();

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*(@[A-Za-z0-9_][A-Za-z0-9._/-]*)?\z")]
    private static partial Regex WithOwnerForm();

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9._/-]*\z")]
    private static partial Regex RevisionForm();
}
