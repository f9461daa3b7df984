using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;

namespace Nano.Cli.Tests;

/// <summary>
/// The uses between source files, read from compiled assemblies: from the signatures and
/// instructions of every method, with the files told by the debug information. Constants do not
/// show, since the compiler has put in their values.
/// </summary>
internal sealed class SourceGraph
{
    // Debug information for types without methods: the compiler lists their files.
    private static readonly Guid TypeDocuments = new("932E74BC-DBA9-4478-8D46-0F32A7BAB3D3");
    private static readonly OpCode[] OneByte = new OpCode[256], TwoBytes = new OpCode[256];

    private readonly Dictionary<Type, HashSet<string>> filesOf = [];
    private readonly Dictionary<MethodBase, string> fileOfMethod = [];
    private readonly Dictionary<(string From, string To), string> uses = [];

    static SourceGraph()
    {
        foreach (FieldInfo field in typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static))
        {
            var code = (OpCode)field.GetValue(null)!;
            (code.Size == 1 ? OneByte : TwoBytes)[code.Value & 0xFF] = code;
        }
    }

    public SourceGraph(IReadOnlyList<Assembly> assemblies)
    {
        foreach (Assembly assembly in assemblies)
            ReadFiles(assembly);
        foreach (Assembly assembly in assemblies)
            ReadUses(assembly);
    }

    /// <summary>Pairs of files, the first of which uses the second, with a name by which it does.</summary>
    public IReadOnlyDictionary<(string From, string To), string> Uses => uses;

    /// <summary>
    /// Methods and their lines, from the first statement to the last. Constructors are left out: to them belong the
    /// initialisers of fields, wherever these stand.
    /// </summary>
    public static IEnumerable<(string Name, int Lines)> MethodLengths(Assembly assembly)
    {
        using MetadataReaderProvider provider = OpenDebug(assembly);
        MetadataReader debug = provider.GetMetadataReader();
        foreach (MethodDebugInformationHandle handle in debug.MethodDebugInformation)
        {
            var points = debug.GetMethodDebugInformation(handle).GetSequencePoints()
                .Where(point => !point.IsHidden).ToList();
            if (FileOf(debug, handle) is not { } file || points.Count == 0)
                continue;
            int token = MetadataTokens.GetToken(handle.ToDefinitionHandle());
            MethodBase method = assembly.ManifestModule.ResolveMethod(token)!;
            if (method is MethodInfo)
                yield return ($"{Path.GetFileName(file)} {method.DeclaringType!.Name}.{method.Name}",
                    points.Max(point => point.EndLine) - points.Min(point => point.StartLine) + 1);
        }
    }

    private static MetadataReaderProvider OpenDebug(Assembly assembly) =>
        MetadataReaderProvider.FromPortablePdbStream(File.OpenRead(Path.ChangeExtension(assembly.Location, ".pdb")));

    private void ReadFiles(Assembly assembly)
    {
        using MetadataReaderProvider provider = OpenDebug(assembly);
        MetadataReader debug = provider.GetMetadataReader();
        foreach (Type type in assembly.GetTypes())
            filesOf[type] = [];
        foreach (MethodDebugInformationHandle handle in debug.MethodDebugInformation)
            if (FileOf(debug, handle) is { } path)
            {
                int token = MetadataTokens.GetToken(handle.ToDefinitionHandle());
                MethodBase method = assembly.ManifestModule.ResolveMethod(token)!;
                fileOfMethod[method] = path;
                filesOf[method.DeclaringType!].Add(path);
            }
        foreach (CustomDebugInformationHandle handle in debug.CustomDebugInformation)
        {
            CustomDebugInformation information = debug.GetCustomDebugInformation(handle);
            if (debug.GetGuid(information.Kind) != TypeDocuments)
                continue;
            Type type = assembly.ManifestModule.ResolveType(MetadataTokens.GetToken(information.Parent));
            for (BlobReader blob = debug.GetBlobReader(information.Value); blob.RemainingBytes > 0;)
                filesOf[type].Add(NameOf(debug, MetadataTokens.DocumentHandle(blob.ReadCompressedInteger())));
        }
    }

    private static string? FileOf(MetadataReader debug, MethodDebugInformationHandle handle)
    {
        MethodDebugInformation information = debug.GetMethodDebugInformation(handle);
        DocumentHandle document = information.Document;
        if (document.IsNil)
            document = information.GetSequencePoints().Select(point => point.Document).FirstOrDefault();
        if (document.IsNil)
            return null;
        string name = NameOf(debug, document);
        return name.Contains("/obj/", StringComparison.Ordinal) || name.EndsWith(".g.cs", StringComparison.Ordinal)
            ? null : name;
    }

    private static string NameOf(MetadataReader debug, DocumentHandle document) =>
        debug.GetString(debug.GetDocument(document).Name).Replace('\\', '/');

    private string? FileOf(Type type)
    {
        for (Type? at = type; at is not null; at = at.DeclaringType)
            if (filesOf.TryGetValue(at, out var files) && files.Count > 0)
                return files.Min(StringComparer.Ordinal);
        return null;
    }

    private void ReadUses(Assembly assembly)
    {
        const BindingFlags All = BindingFlags.DeclaredOnly | BindingFlags.Instance | BindingFlags.Static
            | BindingFlags.Public | BindingFlags.NonPublic;
        foreach (Type type in assembly.GetTypes())
        {
            if (FileOf(type) is not { } file)
                continue;
            Use(file, type.BaseType);
            foreach (Type implemented in type.GetInterfaces())
                Use(file, implemented);
            foreach (FieldInfo field in type.GetFields(All))
                Use(file, field.FieldType);
            foreach (MethodBase method in type.GetMethods(All).Cast<MethodBase>().Concat(type.GetConstructors(All)))
                ReadMethod(fileOfMethod.GetValueOrDefault(method, file), method);
        }
    }

    private void ReadMethod(string file, MethodBase method)
    {
        foreach (ParameterInfo parameter in method.GetParameters())
            Use(file, parameter.ParameterType);
        if (method is MethodInfo { ReturnType: var result })
            Use(file, result);
        if (method.GetMethodBody() is not { } body)
            return;
        foreach (LocalVariableInfo local in body.LocalVariables)
            Use(file, local.LocalType);
        Type[]? ofType = method.DeclaringType is { IsGenericType: true } generic ? generic.GetGenericArguments() : null;
        Type[]? ofMethod = method.IsGenericMethod ? method.GetGenericArguments() : null;
        foreach (int token in Tokens(body.GetILAsByteArray()!))
            ReadMember(file, method.Module.ResolveMember(token, ofType, ofMethod));
    }

    private void ReadMember(string file, MemberInfo? member)
    {
        switch (member)
        {
            case Type type:
                Use(file, type);
                break;
            case FieldInfo field:
                Use(file, field.DeclaringType);
                break;
            case MethodBase called:
                if (fileOfMethod.TryGetValue(Definition(called), out string? other))
                    Add(file, other, $"{called.DeclaringType!.Name}.{called.Name}");
                else
                    Use(file, called.DeclaringType);
                foreach (Type argument in called.IsGenericMethod ? called.GetGenericArguments() : [])
                    Use(file, argument);
                break;
        }
    }

    /// <summary>The method as it is declared; methods of arrays have no declaration.</summary>
    private static MethodBase Definition(MethodBase method) =>
        (method.MetadataToken & 0xFFFFFF) == 0 ? method : method.Module.ResolveMethod(method.MetadataToken)!;

    /// <summary>The metadata tokens among the operands of a method's instructions.</summary>
    private static IEnumerable<int> Tokens(byte[] code)
    {
        for (int at = 0; at < code.Length;)
        {
            OpCode op = code[at] == 0xFE ? TwoBytes[code[at + 1]] : OneByte[code[at]];
            at += op.Size;
            if (op.OperandType is OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok
                or OperandType.InlineType)
                yield return BitConverter.ToInt32(code, at);
            at += op.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + (4 * BitConverter.ToInt32(code, at)),
                _ => 4,
            };
        }
    }

    private void Use(string file, Type? type)
    {
        if (type is null || type.IsGenericParameter)
            return;
        if (type.HasElementType)
        {
            Use(file, type.GetElementType());
            return;
        }
        foreach (Type argument in type.IsGenericType ? type.GetGenericArguments() : [])
            Use(file, argument);
        Type definition = type.IsGenericType ? type.GetGenericTypeDefinition() : type;
        if (filesOf.TryGetValue(definition, out var files) && !files.Contains(file) && FileOf(definition) is { } other)
            Add(file, other, definition.Name);
    }

    private void Add(string from, string to, string by)
    {
        if (from != to)
            uses.TryAdd((from, to), by);
    }
}
