using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>The walls of the house, checked on the source and on what was compiled from it.</summary>
public partial class ArchitectureTests
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(Goldens.Path("."), "..", ".."));

    /// <summary>What each project uses itself; those reach what their own uses reach.</summary>
    private static readonly Dictionary<string, string[]> Projects = new()
    {
        ["Nano.Files"] = [],
        ["Nano.Quant"] = ["Nano.Files"],
        ["Nano.Tensor"] = ["Nano.Quant"],
        ["Nano.Ops"] = ["Nano.Tensor"],
        ["Nano.Text"] = ["Nano.Files"],
        ["Nano.Data"] = ["Nano.Text"],
        ["Nano.Model"] = ["Nano.Ops", "Nano.Text"],
        ["Nano.Eval"] = ["Nano.Model"],
        ["Nano.Train"] = ["Nano.Data", "Nano.Eval"],
        ["Nano.Gpu"] = ["Nano.Train"],
        ["Nano.Bench"] = ["Nano.Gpu"],
        ["Nano.Cli"] = ["Nano.Bench"],
    };

    private static IEnumerable<string> SourceFiles() => Projects.Keys.SelectMany(FilesOf);

    private static IEnumerable<string> FilesOf(string project) => FilesIn(Path.Combine("src", project));

    private static IEnumerable<string> FilesIn(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}",
                StringComparison.Ordinal));

    private static string Relative(string file) =>
        Path.GetRelativePath(Path.Combine(Root, "src"), file).Replace('\\', '/');

    private static string ProjectFile(string project) => Path.Combine(Root, "src", project, project + ".csproj");

    private static Assembly AssemblyOf(string project) => Assembly.Load(project == "Nano.Cli" ? "nano" : project);

    [Fact]
    public void Projects_reference_what_the_table_says_and_nothing_else()
    {
        Assert.Equal(Projects.Keys.Order(), Directory.EnumerateDirectories(Path.Combine(Root, "src"))
            .Select(Path.GetFileName).Order());
        foreach (var (project, expected) in Projects)
            Assert.Equal(expected.Order(), XDocument.Load(ProjectFile(project)).Descendants("ProjectReference")
                .Select(reference =>
                    Path.GetFileNameWithoutExtension(((string)reference.Attribute("Include")!).Replace('\\', '/')))
                    .Order());
    }

    [Fact]
    public void Assemblies_use_only_what_their_projects_reach()
    {
        foreach (string project in Projects.Keys)
        {
            var reached = new HashSet<string>();
            Reach(project, reached);
            var used = AssemblyOf(project).GetReferencedAssemblies().Select(name => name.Name!)
                .Where(Projects.ContainsKey);
            Assert.Empty(used.Except(reached));
        }

        static void Reach(string project, HashSet<string> reached)
        {
            foreach (string used in Projects[project])
                if (reached.Add(used))
                    Reach(used, reached);
        }
    }

    [Fact]
    public void Folders_use_only_folders_before_them()
    {
        var graph = new SourceGraph([.. Projects.Keys.Select(AssemblyOf)]);
        Assert.True(graph.Uses.Count > 1000, "the debug information tells of too few uses to be right");
        var offenders = new List<string>();
        foreach (var ((from, to), by) in graph.Uses)
        {
            (string project, string folder) = FolderOf(from);
            (string otherProject, string otherFolder) = FolderOf(to);
            string[] order = FolderOrder(project);
            if (project == otherProject && Array.IndexOf(order, otherFolder) > Array.IndexOf(order, folder))
                offenders.Add($"{Path.GetFileName(from)} ({folder}) uses {by} of {Path.GetFileName(to)} "
                    + $"({otherFolder})");
        }
        Assert.Empty(offenders);
    }

    /// <summary>The project and the folder of a file as its debug information names it.</summary>
    private static (string Project, string Folder) FolderOf(string file)
    {
        string[] parts = file[(file.LastIndexOf("/src/", StringComparison.Ordinal) + 5)..].Split('/');
        return (parts[0], parts.Length == 2 ? "." : string.Join('/', parts[1..^1]));
    }

    /// <summary>The folders of a project in the order that its README.md gives.</summary>
    private static string[] FolderOrder(string project) =>
        [.. Heading().Matches(File.ReadAllText(Path.Combine(Root, "src", project, "README.md")))
            .Select(match => match.Groups[1].Value)];

    [GeneratedRegex(@"^## (\S+): ", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [Fact]
    public void Every_project_has_a_readme_that_lists_each_file_in_its_folder()
    {
        foreach (string project in Projects.Keys)
        {
            string readme = File.ReadAllText(Path.Combine(Root, "src", project, "README.md"));
            var listed = new List<string>();
            foreach (string section in Regex.Split(readme, "^(?=## )", RegexOptions.Multiline).Skip(1))
            {
                string folder = Heading().Match(section).Groups[1].Value;
                listed.AddRange(Row().Matches(section)
                    .Select(row => $"{project}/{(folder == "." ? "" : folder + "/")}{row.Groups[1].Value}"));
            }
            Assert.Equal(FilesOf(project).Select(Relative).Order(StringComparer.Ordinal),
                listed.Order(StringComparer.Ordinal));
        }
    }

    [GeneratedRegex(@"^\| `([^`]+\.cs)` \| \S", RegexOptions.Multiline)]
    private static partial Regex Row();

    [Fact]
    public void Folders_hold_at_most_25_files_and_projects_130()
    {
        Assert.DoesNotContain(SourceFiles().GroupBy(file => Path.GetDirectoryName(Relative(file))),
            folder => folder.Count() > 25);
        Assert.DoesNotContain(Projects.Keys, project => FilesOf(project).Count() > 130);
    }

    [Fact]
    public void Files_have_at_most_400_lines() =>
        Assert.DoesNotContain(SourceFiles().Concat(FilesIn("tests")), file => File.ReadLines(file).Count() > 400);

    [Fact]
    public void Lines_have_at_most_120_columns() =>
        Assert.Empty(SourceFiles().SelectMany(file => File.ReadLines(file)
            .Select((line, i) => (Place: $"{Relative(file)}:{i + 1}", line.Length))
            .Where(line => line.Length > 120).Select(line => line.Place)));

    /// <summary>
    /// Lines are counted from the first statement of a method to its last, as the debug information has them.
    /// </summary>
    [Fact]
    public void Methods_have_at_most_60_lines()
    {
        var methods = Projects.Keys.SelectMany(project => SourceGraph.MethodLengths(AssemblyOf(project))).ToList();
        Assert.True(methods.Count > 1000, "the debug information tells of too few methods to be right");
        Assert.Empty(methods.Where(method => method.Lines > 60).Select(method => $"{method.Name}: {method.Lines}"));
    }

    /// <summary>
    /// Native memory belongs to Tensor and Ops; Files maps files and asks the system what a path names; Gpu
    /// binds a native library.
    /// </summary>
    [Fact]
    public void Unsafe_code_stays_where_it_belongs()
    {
        var allowing = Projects.Keys.Where(project =>
            File.ReadAllText(ProjectFile(project)).Contains("AllowUnsafeBlocks", StringComparison.Ordinal));
        Assert.Equal(["Nano.Files", "Nano.Tensor", "Nano.Ops", "Nano.Gpu"], allowing);
        Assert.DoesNotContain(SourceFiles().Where(IsUnsafe).Select(Relative), file =>
            !file.StartsWith("Nano.Tensor/", StringComparison.Ordinal)
                && !file.StartsWith("Nano.Ops/", StringComparison.Ordinal)
                && !file.StartsWith("Nano.Gpu/Ort/", StringComparison.Ordinal)
            && file is not "Nano.Files/Bytes/MappedFile.cs" and not "Nano.Files/Bytes/FileStatus.cs");

        static bool IsUnsafe(string file) => UnsafeWord().IsMatch(File.ReadAllText(file));
    }

    [GeneratedRegex(@"\bunsafe (?:class|struct|readonly|partial|void|static|ref)|\bstatic unsafe\b|\bLibraryImport\b")]
    private static partial Regex UnsafeWord();

    [Fact]
    public void Only_Files_Fetch_uses_the_network()
    {
        var users = SourceFiles().Where(file => NetworkWord().IsMatch(File.ReadAllText(file))).Select(Relative);
        Assert.DoesNotContain(users, file => !file.StartsWith("Nano.Files/Fetch/", StringComparison.Ordinal));
    }

    [GeneratedRegex(@"\b(?:HttpClient|HttpRequestMessage|TcpClient|TcpListener)\b")]
    private static partial Regex NetworkWord();

    [Fact]
    public void Only_the_command_line_writes_to_the_console()
    {
        var offenders = SourceFiles().Where(file => !Relative(file).StartsWith("Nano.Cli/", StringComparison.Ordinal)
            && File.ReadAllText(file).Contains("Console.", StringComparison.Ordinal));
        Assert.Empty(offenders.Select(Relative));
    }

    /// <summary>Libraries name settings by their keys, as `min_lr`, and the command line shows their options.</summary>
    [Fact]
    public void Libraries_do_not_speak_of_options()
    {
        var known = TrainSettings.All.Concat(TrainSettings.OfModel).Select(setting => setting.Key)
            .Concat(OptionNames.Others).ToHashSet();
        var named = new HashSet<string>();
        var offenders = new List<string>();
        foreach (string file in Projects.Keys.Where(project => project != "Nano.Cli").SelectMany(FilesOf))
            foreach (string line in File.ReadLines(file).Where(line => !line.TrimStart().StartsWith('/')))
            {
                if (OptionInText().IsMatch(line))
                    offenders.Add($"{Relative(file)}: {line.Trim()}");
                if (file.Contains("Reports", StringComparison.Ordinal))
                    continue; // which are Markdown and HTML
                foreach (Match key in KeyInText().Matches(line))
                    if (known.Contains(key.Groups[1].Value))
                        named.Add(key.Groups[1].Value);
                    else
                        offenders.Add($"{Relative(file)}: {key.Value} is no setting that Nano.Cli knows");
            }
        Assert.Empty(offenders);
        Assert.Empty(OptionNames.Others.Except(named)); // which none of them needs
    }

    [GeneratedRegex(@"""[^""]*(?<![\w-])--[a-z]")]
    private static partial Regex OptionInText();

    [GeneratedRegex("`([a-z][a-z0-9_]*)`")]
    private static partial Regex KeyInText();

    /// <summary>
    /// There control characters are kept from terminals, and streams that are closed or full are
    /// noticed.
    /// </summary>
    [Fact]
    public void The_command_line_writes_to_the_console_through_the_screen()
    {
        string[] passes = ["Console.Out", "Console.Error", "Console.Write", "Console.OpenStandard"];
        var others = FilesOf("Nano.Cli").Where(file => Path.GetFileName(file) != "Screen.cs");
        var offenders = others.Where(file =>
            passes.Any(File.ReadAllText(file).Replace("AnsiConsole.", "", StringComparison.Ordinal).Contains));
        Assert.Empty(offenders.Select(Relative));
    }

    /// <summary>A model states the role of each parameter (ParameterFacts); a name is for files and messages.</summary>
    [Fact]
    public void Nothing_reads_a_role_out_of_the_name_of_a_parameter()
    {
        var offenders = SourceFiles().SelectMany(file => File.ReadLines(file).Where(line => NameMatch().IsMatch(line))
            .Select(line => $"{Relative(file)}: {line.Trim()}"));
        Assert.Empty(offenders);
        Assert.Matches(NameMatch(), "name.EndsWith(\".weight\", StringComparison.Ordinal)");
        Assert.Matches(NameMatch(), "parameter.StartsWith(\"lm_head.\")");
    }

    [GeneratedRegex(@"(?:EndsWith|StartsWith|Contains|IndexOf)\(""[^""]*(?:weight|bias\b|attn|mlp|_proj"
        + @"|c_fc|lm_head|wte|wpe|ln_|norm|embed|layers|\bmodel\.|\bh\.)")]
    private static partial Regex NameMatch();

    /// <summary>
    /// The three vector widths are one source with another number in it; a change to one belongs in
    /// all.
    /// </summary>
    [Theory]
    [InlineData(512, 256)]
    [InlineData(512, 128)]
    public void Vector_widths_differ_in_nothing_but_their_width(int first, int second)
    {
        string Source(int width) =>
            string.Join('\n', File.ReadLines(Path.Combine(Root, "src", "Nano.Tensor", "Simd", $"Simd{width}.cs"))
            .Where(line => !line.StartsWith("/// <summary>", StringComparison.Ordinal)))
            .Replace($"get => {width / 32};", "get => lanes;", StringComparison.Ordinal)
            .Replace($"{width}", "width", StringComparison.Ordinal);
        Assert.Equal(Source(first), Source(second));
    }
}
